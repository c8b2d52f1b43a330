/** Real Parley processes for tests and the demo: started as `npm start` starts them, watched, signalled, and ended by their own pid. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, within } from "./eventually.ts";

export type Env = Readonly<Record<string, string>>;

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One running node. */
export interface Node {
  readonly role: string;
  readonly pid: number;
  /** Where `/health` and `/ready` are answered. */
  readonly statusUrl: string;
  /** All that it printed so far. */
  readonly log: () => string;
  /** Where it prints to, until it ends. */
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  readonly hasEnded: () => boolean;
  /** Resolves when `/ready` is 200; rejects with the log when the process ends before that. */
  readonly ready: (timeoutMs?: number) => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM, and SIGKILL when that is not enough. */
  readonly stop: () => Promise<Exit>;
}

/** An embedded server in a data folder of its own. */
export interface Server extends Node {
  readonly url: string;
  readonly dataDir: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const runner = ["node_modules/moleculer/bin/moleculer-runner.js", "--config", "moleculer.config.ts", "--mask", "**/*.service.ts"];
const stopMs = 15_000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "parley-"));

/** Starts a process with this environment and nothing of ours but PATH and HOME; does not wait for it. */
export function startNode(role: string, env: Env, statusPort: number): Node {
  const { PATH = "", HOME = "" } = process.env;
  // A file, not a pipe: the log is whole also when the test is too busy to read it.
  const logFolder = mkdtempSync(join(tmpdir(), "parley-log-"));
  const logFile = join(logFolder, `${role}.log`);
  const output = openSync(logFile, "a");
  const child = spawn(process.execPath, runner, { cwd: root, env: { PATH, HOME, ...env }, stdio: ["ignore", output, output] });
  closeSync(output);
  return watch(role, child, statusPort, logFolder, logFile);
}

function watch(role: string, child: ChildProcess, statusPort: number, logFolder: string, logFile: string): Node {
  let ended: { readonly exit: Exit; readonly log: string } | undefined;
  const exited = new Promise<Exit>((resolve) =>
    child.once("exit", (code, signal) => {
      ended = { exit: { code, signal }, log: readFileSync(logFile, "utf8") };
      rmSync(logFolder, { recursive: true });
      resolve(ended.exit);
    }),
  );
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  void exited.then(() => process.off("exit", kill));

  const statusUrl = `http://127.0.0.1:${statusPort}`;
  const log = () => ended?.log ?? readFileSync(logFile, "utf8");
  const isReady = async () => {
    if (ended !== undefined) return ended.exit;
    const answer = await fetch(`${statusUrl}/ready`, { signal: AbortSignal.timeout(2000) });
    await answer.body?.cancel();
    return answer.status === 200;
  };
  return {
    role,
    pid: child.pid!,
    statusUrl,
    log,
    logFile,
    exited,
    hasEnded: () => ended !== undefined,
    async ready(timeoutMs = 30_000) {
      const outcome = await eventually(`${role} is ready`, isReady, timeoutMs).catch((error: unknown) => {
        throw new Error(`${role} did not become ready; it printed:\n${log()}`, { cause: error });
      });
      if (outcome !== true) throw new Error(`${role} ended (${outcome.signal ?? outcome.code}) before it was ready; it printed:\n${log()}`);
    },
    signal: (signal) => void child.kill(signal),
    async stop() {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      return within(stopMs, "ended by SIGTERM", exited).catch(() => {
        child.kill("SIGKILL");
        return exited;
      });
    },
  };
}

interface EmbeddedOptions {
  readonly env?: Env;
  readonly dataDir?: string;
  /** A free one if not given. */
  readonly port?: number;
}

/** Starts an embedded server and waits until it is ready. Rate limits are off unless asked for. */
export async function startEmbedded({ env = {}, dataDir, port: asked }: EmbeddedOptions = {}): Promise<Server> {
  const port = asked ?? (await freePort());
  const folder = dataDir ?? (await temporaryFolder());
  const node = startNode("embedded", { PORT: String(port), HOST: "127.0.0.1", DATA_DIR: folder, LIMITS: "off", ...env }, port);
  const removeFolder = async () => {
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  await node.ready().catch(async (error: unknown) => {
    await node.stop();
    await removeFolder();
    throw error;
  });
  return {
    ...node,
    url: node.statusUrl,
    dataDir: folder,
    async stop() {
      const exit = await node.stop();
      await removeFolder();
      return exit;
    },
  };
}
