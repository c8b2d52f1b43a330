/**
 * `npm run check`: runs types, lint and format concurrently. Unchanged files are not linted again, although a change elsewhere can change their
 * types; `--whole`, which `npm test` passes, lints all files.
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

/** Runs one check and prints its output when it ends, so that the output of several checks does not mix. @returns whether it passed */
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
