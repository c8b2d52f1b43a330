/** Starts the compared servers, Parley as shipped and the baselines, each in its own process with the same probe. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { freePort, startEmbedded, type ServerEnv } from "../../test/support/servers/server.ts";
import { within } from "../../test/support/eventually.ts";
import type { Delay, Memory } from "./probe.ts";

export interface Served {
  readonly url: string;
  readonly pid: number;
  readonly startDelay: () => Promise<unknown>;
  /** Delay since `startDelay`. */
  readonly delay: () => Promise<Delay>;
  readonly memory: () => Promise<Memory>;
  readonly stop: () => Promise<unknown>;
}

/** Secret for the tokens that ours and the baselines accept. */
export const secret = "a-secret-that-only-this-bench-uses-0123";

async function probe() {
  const port = await freePort();
  const ask = async <T>(path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).json() as Promise<T>;
  return {
    module: `${new URL("probe.ts", import.meta.url).href}?port=${port}`,
    questions: {
      startDelay: () => ask<unknown>("/delay/start"),
      delay: () => ask<Delay>("/delay/end"),
      memory: () => ask<Memory>("/memory"),
    },
  };
}

/**
 * Starts Parley embedded with its defaults, except that rate limits are off and any user may chat with any other.
 * @param dataDir  data folder with its users
 */
export async function startOurs({ dataDir, port, env = {} }: { dataDir: string; port: number; env?: ServerEnv }): Promise<Served> {
  const { module, questions } = await probe();
  const options = { JWT_SECRET: secret, CONTACTS: "open", NODE_OPTIONS: `--import=${module}`, ...env };
  const { url, pid, stop } = await startEmbedded({ dataDir, port, env: options });
  return { url, pid, ...questions, stop };
}

/**
 * Starts a program of `baselines/`, which prints a line when it listens.
 * @param args  arguments after the port and the secret
 */
export async function startBaseline(name: string, ...args: readonly string[]): Promise<Served> {
  const [{ module, questions }, port] = [await probe(), await freePort()];
  const program = fileURLToPath(new URL(`baselines/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [`--import=${module}`, program, String(port), secret, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  await within(20_000, `${name} listens`, Promise.race([once(child.stdout, "data"), ended()]));
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    ...questions,
    async stop() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await within(10_000, `${name} ends`, exited);
      process.off("exit", kill);
    },
  };

  async function ended(): Promise<never> {
    await once(child, "exit");
    throw new Error(`${name} ended before it listened`);
  }
}
