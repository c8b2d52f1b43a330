/** Tests that a node reports a memory limit that is too low. */
import { expect, test } from "@jest/globals";
import { minMemoryMiB, memoryLimitProblem } from "../../../core/node/memory-limit.ts";

const MiB = 1024 * 1024;

test("a limit that is too low is reported with both numbers", () => {
  expect(memoryLimitProblem(64 * MiB)).toBe(`its container limits it to 64 MiB of memory, and a node needs at least ${minMemoryMiB}`);
  expect(memoryLimitProblem(minMemoryMiB * MiB - 1)).toContain(`${minMemoryMiB - 1} MiB`);
});
test("a sufficient limit, or none, is not reported", () => {
  expect(memoryLimitProblem(minMemoryMiB * MiB)).toBeUndefined();
  expect(memoryLimitProblem(0)).toBeUndefined();
  expect(memoryLimitProblem(2 ** 64)).toBeUndefined();
});
