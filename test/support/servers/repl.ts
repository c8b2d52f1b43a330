/** Starts a node with a REPL as a real process, types commands to its standard input and reads its output. */
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "../eventually.ts";
import { freePort, temporaryFolder, type ServerEnv } from "./server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const runner = ["node_modules/moleculer/bin/moleculer-runner.js", "--repl", "--config", "moleculer.config.ts"];

export interface Repl {
  /** Types a line and waits until the output after it matches. */
  type(line: string, expected: RegExp, timeoutMs?: number): Promise<void>;
  /** Ctrl-D. */
  stop(): Promise<void>;
}

/** Starts moleculer-runner with a REPL. Its history file is in a temporary folder. */
export async function startRepl(env: ServerEnv, args: readonly string[] = []): Promise<Repl> {
  const home = await temporaryFolder();
  const child = spawn(process.execPath, [...runner, ...args], { cwd: root, env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env } });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const waitForOutput = async (expected: RegExp, from: number, timeoutMs = 60_000) => {
    await eventually(`the REPL prints ${String(expected)}`, () => expected.test(printed.slice(from)), timeoutMs).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it printed:\n${printed.slice(from)}`);
    });
  };
  await waitForOutput(/mol \$/, 0);
  return {
    async type(line, expected, timeoutMs) {
      const from = printed.length;
      child.stdin.write(`${line}\n`);
      await waitForOutput(expected, from, timeoutMs);
    },
    async stop() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await exited;
      clearTimeout(timer);
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Starts an embedded server with a REPL in the same process. */
export async function startEmbeddedRepl(): Promise<{ repl: Repl; url: string }> {
  const port = await freePort();
  const dataDir = await temporaryFolder();
  const url = `http://127.0.0.1:${port}`;
  const repl = await startRepl({ PORT: String(port), HOST: "127.0.0.1", DATA_DIR: dataDir, LIMITS: "off" }, ["--mask", "**/*.service.ts"]);
  const stop = async () => {
    await repl.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  await eventually("the server is ready", async () => (await fetch(`${url}/ready`)).ok, 90_000);
  return { url, repl: { ...repl, stop } };
}
