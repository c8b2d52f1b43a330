/** `describe` for tests that need infrastructure: runs them, or skips them with the reason in their title. */
import { spawnSync } from "node:child_process";
import { describe } from "@jest/globals";
import { skipReason, type InfraPart } from "../infrastructure/infra.ts";
import { storeAdapters, type TestStore } from "../store/stores.ts";

export function describeWith(parts: readonly InfraPart[], title: string, tests: () => void): void {
  const reason = skipReason(...parts);
  if (reason === undefined) describe(title, tests);
  else describe.skip(`${title} (${reason})`, tests);
}

/** Tests of a whole mesh. */
export const describeMesh = (title: string, tests: () => void): void => describeWith(["amqp", "redis", "mongo"], title, tests);

/** Tests with a Redis of their own. Where there is none to start they are skipped, or fail with REQUIRE_INFRA=1. */
export function describeOwnRedis(title: string, tests: () => void): void {
  if (spawnSync("redis-server", ["--version"]).status === 0 || process.env["REQUIRE_INFRA"] === "1") describe(title, tests);
  else describe.skip(`${title} (skipped, it needs redis-server on the PATH)`, tests);
}

/** The same tests for each adapter of the store. */
export function describeStores(title: string, tests: (open: () => Promise<TestStore>) => void): void {
  for (const adapter of storeAdapters) describeWith(adapter.needs, `${title} on ${adapter.title}`, () => tests(() => adapter.open()));
}
