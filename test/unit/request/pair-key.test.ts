import { expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { pairKey } from "../../../services/request/contract.ts";

test("two users have one key, in either order", () => {
  const [a, b] = [newId(), newId()];
  expect(pairKey(a, b)).toBe(pairKey(b, a));
  expect(pairKey(b, a)).toBe([a, b].sort().join(":"));
});
