/** A node that its container gives too little memory says so, in place of being killed for it. */
import { expect, test } from "@jest/globals";
import { leastMiB, memoryShort } from "../../core/memory.ts";

const MiB = 1024 * 1024;

test("too little is said with both numbers", () => {
  expect(memoryShort(64 * MiB)).toBe(`it may use 64 MiB of memory, its container's limit, and a node needs at least ${leastMiB}`);
  expect(memoryShort(leastMiB * MiB - 1)).toContain(`${leastMiB - 1} MiB`);
});
test("enough, and no limit, are nothing to say", () => {
  expect(memoryShort(leastMiB * MiB)).toBeUndefined();
  expect(memoryShort(0)).toBeUndefined();
  expect(memoryShort(2 ** 64)).toBeUndefined();
});
