/** Defines the minimum versions of MongoDB, RabbitMQ and Redis, which docs/operating.md documents. */
import { fine, isAtLeast, todo, type Finding } from "../check.ts";

const least = { MongoDB: "6.0", RabbitMQ: "3.10", Redis: "6.2" } as const;

export function versionFinding(part: keyof typeof least, version: string): Finding {
  return isAtLeast(version, least[part]) ? fine(version) : todo(`${version} is too old: Parley needs ${part} ${least[part]} or newer`);
}
