/** Runs the operator's commands as a shell does: as real processes, with their output and exit code. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import type { ServerEnv } from "./server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}
export interface RunningCommand {
  readonly pid: number;
  readonly ended: Promise<CommandResult>;
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** Starts `npm run <name> -- ...args` as a process that the test can signal. */
export function startCommand(name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): RunningCommand {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [`scripts/${name}.ts`, ...args], {
    cwd: root,
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const forget = cleanUpOnExit(() => child.kill("SIGKILL"));
  const exit = new Promise<Pick<CommandResult, "code" | "signal">>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  const ended = Promise.all([exit, text(child.stdout), text(child.stderr)]).then(([status, out, err]) => {
    forget();
    return { ...status, out, err };
  });
  return { pid: child.pid!, ended, signal: (signal) => void child.kill(signal) };
}

export const command = (name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<CommandResult> =>
  startCommand(name, args, env).ended;

/** Runs a command that must succeed. @returns what it printed */
export async function runOrThrow(name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<string> {
  const { code, out, err } = await command(name, args, env);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${err}`);
  return out;
}

/** Runs a command that must refuse with exit code 1 and one line. @returns the line */
export async function refusal(name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<string> {
  const { code, err } = await command(name, args, env);
  const lines = err.trimEnd().split("\n");
  if (code !== 1 || lines.length !== 1) throw new Error(`${name} ended with ${code} and printed ${lines.length} lines: ${err}`);
  return lines[0]!;
}
