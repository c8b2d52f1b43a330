/**
 * `npm run check`: types, lint and format, all at once. Files that did not change are not linted again, although a change elsewhere can
 * give them other types; `--whole`, which `npm test` passes, lints them all.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const isWhole = process.argv.includes("--whole");
const kept = ["--cache", "--cache-strategy", "content", "--cache-location", "node_modules/.cache/eslint/"];
const checks: readonly (readonly [script: string, ...flags: readonly string[]])[] = [
  ["lint", ...(isWhole ? [] : kept)],
  ["types"],
  ["format"],
];

/** @returns whether it passed; what it has to say is printed at its end, so that the checks do not mix their lines */
async function passes([script, ...flags]: (typeof checks)[number]): Promise<boolean> {
  const began = performance.now();
  const child = spawn(process.execPath, ["--run", script, ...(flags.length > 0 ? ["--", ...flags] : [])], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("exit", resolve));
  const [status, ...said] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const isPassed = status === 0;
  console.log(`${script}: ${isPassed ? "passed" : "FAILED"} (${seconds} s)${isPassed ? "" : `\n${said.join("").trim()}`}`);
  return isPassed;
}

const results = await Promise.all(checks.map(passes));
process.exitCode = results.every(Boolean) ? 0 : 1;
