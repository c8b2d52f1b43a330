/** Variants of `describe` for tests that need infrastructure. Without it the tests are skipped, with the reason in their title. */
import { spawnSync } from "node:child_process";
import { describe } from "@jest/globals";
import { skipReason, type InfraPart } from "../infrastructure/infra.ts";
import { storeAdapters, type StoreAdapter, type TestStore } from "../store/stores.ts";

export function describeWith(parts: readonly InfraPart[], title: string, tests: () => void): void {
  const reason = skipReason(...parts);
  if (reason === undefined) describe(title, tests);
  else describe.skip(`${title} (${reason})`, tests);
}

/** For tests that start a mesh. */
export const describeMesh = (title: string, tests: () => void): void => describeWith(["amqp", "redis", "mongo"], title, tests);

/** For tests that start their own Redis. Without redis-server they are skipped, or fail with REQUIRE_INFRA=1. */
export function describeOwnRedis(title: string, tests: () => void): void {
  if (spawnSync("redis-server", ["--version"]).status === 0 || process.env["REQUIRE_INFRA"] === "1") describe(title, tests);
  else describe.skip(`${title} (skipped, it needs redis-server on the PATH)`, tests);
}

/** Declares the same tests for each adapter of the store. */
export function describeStores(title: string, tests: (open: () => Promise<TestStore>, adapter: StoreAdapter) => void): void {
  for (const adapter of storeAdapters)
    describeWith(adapter.needs, `${title} on ${adapter.title}`, () => tests(() => adapter.open(), adapter));
}

/** Declares the same tests for each adapter of the store that several processes can use at once. */
export function describeSharedStores(title: string, tests: (open: () => Promise<TestStore>) => void): void {
  for (const adapter of storeAdapters.filter(({ isShared }) => isShared)) {
    describeWith(adapter.needs, `${title} on ${adapter.title}`, () => tests(() => adapter.open()));
  }
}
