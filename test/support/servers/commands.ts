/** The operator's commands as a shell runs them: real processes, with their lines and their exit code. */
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

/** Starts `npm run <name> -- ...args`, as a process of its own that can be signalled. */
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
  const ended = Promise.all([exit, text(child.stdout), text(child.stderr)]).then(([how, out, err]) => {
    forget();
    return { ...how, out, err };
  });
  return { pid: child.pid!, ended, signal: (signal) => void child.kill(signal) };
}

export const command = (name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<CommandResult> =>
  startCommand(name, args, env).ended;

/** As `command`, for what must succeed. */
export async function runOrThrow(name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<string> {
  const { code, out, err } = await command(name, args, env);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${err}`);
  return out;
}

/** The one line of a command that refused. */
export async function refusal(name: "backup" | "restore" | "new-era", args: readonly string[], env: ServerEnv): Promise<string> {
  const { code, err } = await command(name, args, env);
  const lines = err.trimEnd().split("\n");
  if (code !== 1 || lines.length !== 1) throw new Error(`${name} ended with ${code} and said ${lines.length} lines: ${err}`);
  return lines[0]!;
}
