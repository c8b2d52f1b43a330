/**
 * `npm run fuzz -- --seed N --each 200 [--only NAME]`: wrong calls of every documented route and event. The same seed makes the same calls.
 * Exit code 1 when any count of the table is not 0.
 */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";

const usage = "Usage: npm run fuzz [-- --seed N] [--each N] [--only PART-OF-A-ROUTE-OR-EVENT]";

function settings() {
  const { values } = parseArgs({
    options: { seed: { type: "string" }, each: { type: "string", default: "200" }, only: { type: "string" } },
  });
  const whole = (name: string, text: string) => {
    if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text} is no whole number\n${usage}`);
    return Number(text);
  };
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : whole("seed", values.seed);
  return { seed, each: whole("each", values.each), only: values.only };
}

try {
  const asked = settings();
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(0)} s`.padStart(6);
  process.stdout.write(`seed ${asked.seed}, ${asked.each} each\n`);
  const verdict = await fuzz(asked, (line) => process.stdout.write(`${seconds()}  ${line}\n`));
  process.stdout.write(`${seconds()}  done\n\n${verdict.text()}\n\n`);
  const again = `npm run fuzz -- --seed ${asked.seed} --each ${asked.each}${asked.only === undefined ? "" : ` --only "${asked.only}"`}`;
  process.stdout.write(verdict.isClean ? `${verdict.total} calls, none of these\n` : `To see it again: ${again}\n`);
  process.exitCode = verdict.isClean ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = 1;
}
