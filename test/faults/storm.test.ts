/** Runs the quick faults of `npm run faults` in a smaller storm: a gateway, a chat node and the embedded server are killed. */
import { afterAll, describe, expect, test } from "@jest/globals";
import type { Fault } from "./target/fault.ts";
import { faults } from "./catalog/index.ts";
import { smallSize } from "./load/storm.ts";
import { table } from "./report.ts";
import { FaultTrial } from "./trial.ts";
import { lacking } from "./target/start.ts";

const trial = new FaultTrial(smallSize);
afterAll(() => trial.end());

/** Expects all counts to be 0. @returns the longest silence */
async function runOnce(fault: Fault): Promise<number> {
  const outcome = await trial.run(fault);
  process.stderr.write(`${table([outcome])}\n`);
  const { lost, duplicated, outOfOrder, viewsDiffer, eventsLost, longestSilenceMs } = outcome.verdict;
  const found = { lost, duplicated, outOfOrder, viewsDiffer, eventsLost };
  expect(found).toEqual({ lost: [], duplicated: [], outOfOrder: [], viewsDiffer: [], eventsLost: [] });
  return longestSilenceMs;
}

async function keepsPromises(fault: Fault): Promise<void> {
  // Other work on the machine only makes a silence longer, so it is enough if one of two storms keeps the promised time.
  const isKept = async () => (await runOnce(fault)) <= fault.promiseMs;
  expect((await isKept()) || (await isKept())).toBe(true);
}

const quick = (target: Fault["target"]) => faults.filter((fault) => fault.isQuick === true && fault.target === target);
const missing = lacking();
const describeOwn = missing === undefined || process.env["REQUIRE_INFRA"] === "1" ? describe : describe.skip;

describeOwn(`In a storm on a mesh${missing === undefined ? "" : ` (skipped, it needs ${missing})`}`, () => {
  test.each(quick("mesh"))("nothing is lost, duplicated, out of order or late when $what", keepsPromises, 600_000);
});
describe("In a storm on one process", () => {
  test.each(quick("embedded"))("nothing is lost, duplicated, out of order or late when $what", keepsPromises, 400_000);
});
