/**
 * `npm run faults`: causes each fault in turn under load, and counts what was lost, duplicated or late. `-- --list` names the faults,
 * `-- --only NAME` runs one. The exit code is 1 if a count is not 0 or a promise was broken.
 */
import { parseArgs } from "node:util";
import { faults } from "./catalog/index.ts";
import { fullSize } from "./load/storm.ts";
import { details, passes, table, type FaultOutcome } from "./report.ts";
import { FaultTrial } from "./trial.ts";
import { lacking } from "./target/start.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function run(): Promise<boolean> {
  const { values } = parseArgs({ options: { only: { type: "string", multiple: true }, list: { type: "boolean" } } });
  if (values.list === true) {
    for (const { name, what } of faults) say(`${name.padEnd(24)} ${what}`);
    return true;
  }
  const unknown = (values.only ?? []).filter((name) => !faults.some((fault) => fault.name === name));
  if (unknown.length > 0) throw new Error(`Unknown fault: ${unknown.join(", ")}. --list names the faults`);
  const chosen = faults.filter(({ name }) => values.only?.includes(name) ?? true);
  const missing = chosen.some(({ target }) => target === "mesh") ? lacking() : undefined;
  if (missing !== undefined)
    throw new Error(`Faults of a mesh need ${missing} on this machine (mongod on the PATH, or its path in MONGOD)`);
  const outcomes: FaultOutcome[] = [];
  const trial = new FaultTrial(fullSize);
  try {
    for (const fault of chosen) {
      const outcome = await trial.run(fault);
      outcomes.push(outcome);
      const { acknowledged, longestSilenceMs } = outcome.verdict;
      say(`${passes(outcome) ? "passes" : "FAILS "}  ${fault.what}: ${acknowledged} changes, longest silence ${longestSilenceMs} ms`);
      const more = details(outcome);
      if (more !== "") say(more);
    }
  } finally {
    await trial.end();
  }
  say(`\n${table(outcomes)}`);
  return outcomes.every(passes);
}

try {
  process.exit((await run()) ? 0 : 1);
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(1);
}
