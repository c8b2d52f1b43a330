/** `describe` for tests that need infrastructure: runs them, or skips them with the reason in their title. */
import { describe } from "@jest/globals";
import { skipReason, type Part } from "./infra.ts";

export function describeWith(parts: readonly Part[], title: string, tests: () => void): void {
  const reason = skipReason(...parts);
  if (reason === undefined) describe(title, tests);
  else describe.skip(`${title} (${reason})`, tests);
}

/** Tests of a whole mesh. */
export const describeMesh = (title: string, tests: () => void): void => describeWith(["amqp", "redis", "mongo"], title, tests);
