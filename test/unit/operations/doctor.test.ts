/** How the doctor judges what it measured, and what it never prints. */
import { expect, test } from "@jest/globals";
import { clockFinding, isAtLeast, linesOf, linesOfConnection, reasonOf, withoutSecrets } from "../../../scripts/doctor/check.ts";
import { roomFinding } from "../../../scripts/doctor/machine.ts";

test("versions are compared by their parts", () => {
  expect(isAtLeast("6.0.5", "6.0")).toBe(true);
  expect(isAtLeast("10.0.0", "6.2")).toBe(true);
  expect(isAtLeast("6.2", "6.2")).toBe(true);
  expect(isAtLeast("6", "6.2")).toBe(false);
  expect(isAtLeast("3.9.13", "3.10")).toBe(false);
  expect(isAtLeast("3.13.0-rc.1", "3.10")).toBe(true);
});

test("a disk has too little room below 1 GB, or below 15 % and 20 GB", () => {
  expect(roomFinding("disk", 0.9e9, 5e9).isFine).toBe(false);
  expect(roomFinding("disk", 10e9, 100e9).isFine).toBe(false);
  expect(roomFinding("disk", 50e9, 1000e9).isFine).toBe(true);
  expect(roomFinding("disk", 2e9, 5e9).isFine).toBe(true);
});

test("clocks may differ by 2 s plus the duration of the request", () => {
  expect(clockFinding(1900, 0).isFine).toBe(true);
  expect(clockFinding(-5000, 100)).toMatchObject({ isFine: false, text: expect.stringContaining("5.0 s behind") });
  expect(clockFinding(5000, 3500).isFine).toBe(true);
});

test("secrets and credentials of URLs are never printed", () => {
  expect(withoutSecrets("connect to amqp://me:rabbit-pw@host failed: hunter22", ["hunter22", ""])).toBe(
    "connect to amqp://…@host failed: …",
  );
});

test("a check that throws, and a part that cannot be opened, cause one line each", async () => {
  const failing = { name: "Failing", run: () => Promise.reject(new Error("first line\n    at somewhere")) };
  expect(await linesOf([failing], undefined)).toEqual([{ name: "Failing", isFine: false, text: "first line" }]);
  const part = {
    name: "Part",
    open: () => Promise.reject(new AggregateError([Object.assign(new Error("connect ECONNREFUSED ::1:1"))], "")),
    close: () => Promise.resolve(),
    explain: (error: unknown) => `can't be reached (${reasonOf(error)})`,
    checks: [failing],
  };
  expect(await linesOfConnection(part, undefined)).toEqual([
    { name: "Part", isFine: false, text: "can't be reached (connect ECONNREFUSED ::1:1)" },
  ]);
});
