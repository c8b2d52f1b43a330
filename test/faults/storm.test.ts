/** The quick ones of `npm run faults`, in a smaller storm: a gateway and a chat node are killed, and the embedded server, three times. */
import { afterAll, describe, expect, test } from "@jest/globals";
import type { Fault } from "./target/fault.ts";
import { faults } from "./catalog/index.ts";
import { smallSize } from "./load/storm.ts";
import { table } from "./report.ts";
import { FaultTrial } from "./trial.ts";
import { lacking } from "./target/start.ts";

const trial = new FaultTrial(smallSize);
afterAll(() => trial.end());

async function tried(fault: Fault): Promise<number> {
  const outcome = await trial.run(fault);
  process.stderr.write(`${table([outcome])}\n`);
  const { lost, doubled, outOfOrder, viewsDiffer, eventsLost, longestSilenceMs } = outcome.verdict;
  const found = { lost, doubled, outOfOrder, viewsDiffer, eventsLost };
  expect(found).toEqual({ lost: [], doubled: [], outOfOrder: [], viewsDiffer: [], eventsLost: [] });
  return longestSilenceMs;
}

async function holds(fault: Fault): Promise<void> {
  // What else the machine does only adds to a silence: one of two storms shows what the promise is worth.
  const isKept = async () => (await tried(fault)) <= fault.promiseMs;
  expect((await isKept()) || (await isKept())).toBe(true);
}

const quick = (world: Fault["world"]) => faults.filter((fault) => fault.isQuick === true && fault.world === world);
const missing = lacking();
const describeOwn = missing === undefined || process.env["REQUIRE_INFRA"] === "1" ? describe : describe.skip;

describeOwn(`In a storm on a mesh${missing === undefined ? "" : ` (skipped, it needs ${missing})`}`, () => {
  test.each(quick("mesh"))("nothing is lost, doubled, out of order or late when $what", holds, 600_000);
});
describe("In a storm on one process", () => {
  test.each(quick("embedded"))("nothing is lost, doubled, out of order or late when $what", holds, 400_000);
});
