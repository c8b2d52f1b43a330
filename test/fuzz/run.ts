/**
 * `npm run fuzz -- --seed N --each 200 [--only NAME]`: makes invalid calls of every documented route and event. The same seed makes the same
 * calls. The exit code is 1 if anything is found.
 */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";

const usage = "Usage: npm run fuzz [-- --seed N] [--each N] [--only PART-OF-A-ROUTE-OR-EVENT]";

function settings() {
  const { values } = parseArgs({
    options: { seed: { type: "string" }, each: { type: "string", default: "200" }, only: { type: "string" } },
  });
  const whole = (name: string, text: string) => {
    if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text} is not a whole number\n${usage}`);
    return Number(text);
  };
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : whole("seed", values.seed);
  return { seed, each: whole("each", values.each), only: values.only };
}

try {
  const given = settings();
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(0)} s`.padStart(6);
  process.stdout.write(`seed ${given.seed}, ${given.each} calls of each route and event in each role\n`);
  const verdict = await fuzz(given, (line) => process.stdout.write(`${seconds()}  ${line}\n`));
  process.stdout.write(`${seconds()}  done\n\n${verdict.text()}\n\n`);
  const again = `npm run fuzz -- --seed ${given.seed} --each ${given.each}${given.only === undefined ? "" : ` --only "${given.only}"`}`;
  process.stdout.write(verdict.isClean ? `${verdict.total} calls, nothing found\n` : `To repeat this run: ${again}\n`);
  process.exitCode = verdict.isClean ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = 1;
}
