/** A Jest reporter that prints at the end which infrastructure was missing. Jest's summary has the number of skipped tests. */
import { titles as partTitles } from "../infrastructure/infra.ts";

const titles = { ...partTitles, oldRelease: "The old release" };

export default class SkippedReporter {
  onRunComplete(_contexts, { numPendingTests }) {
    const found = JSON.parse(process.env.PARLEY_TEST_INFRA ?? "{}");
    const missing = Object.entries(found).filter(([, { missing: reason }]) => reason !== undefined);
    if (numPendingTests === 0 || missing.length === 0) return;
    const lines = missing.map(([part, { missing: reason }]) => `  ${titles[part]}: ${reason}`);
    process.stderr.write(`\nSkipped the tests that need missing infrastructure:\n${lines.join("\n")}\n`);
  }
}
