/** Runs other programs, and returns their output or fails with its last lines. */
import { spawn } from "node:child_process";

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Text for its standard input. */
  readonly input?: string;
  /** Copies its output to standard error while it runs. */
  readonly isShown?: boolean;
}

const linesShown = 30;

/**
 * @returns its standard output
 * @throws Error  the program could not be started, or its exit code is not 0; the message has its last lines
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { env, cwd, input, isShown = false } = options;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let [output, all] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    all += text;
    if (isShown) process.stderr.write(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    all += text;
    if (isShown) process.stderr.write(text);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "ended"));
  });
  if (code === 0) return output;
  const last = all.trimEnd().split("\n").slice(-linesShown).join("\n");
  throw new Error(`${program} ${args.join(" ").slice(0, 200)}: ${code}\n${last}`);
}

/** Whether this program is installed. */
export const has = (program: string): Promise<boolean> =>
  run("sh", ["-c", `command -v ${program}`]).then(
    () => true,
    () => false,
  );
