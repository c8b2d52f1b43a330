/** Starts real Parley processes for tests and the demo, as `npm start` does; watches, signals and stops them. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { eventually, within } from "../eventually.ts";

export type ServerEnv = Readonly<Record<string, string>>;

/** Where a process runs, if not in this process's network and checkout. */
export interface NodeLocation {
  /** The name of a network namespace. */
  readonly namespace?: string;
  /** The address that it listens on. Default 127.0.0.1. */
  readonly address?: string;
  /** The checkout whose program it runs. Default this one. */
  readonly root?: string;
}

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One running node. */
export interface NodeProcess {
  readonly role: string;
  readonly pid: number;
  /** The base URL of `/health` and `/ready`. */
  readonly statusUrl: string;
  /** Everything that it has printed. */
  readonly log: () => string;
  /** The file that it prints to. Removed when it ends. */
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  readonly hasEnded: () => boolean;
  /** Resolves when `/ready` answers 200; rejects with the log when the process ends before. */
  readonly ready: (timeoutMs?: number) => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Sends SIGTERM, and SIGKILL if the process does not end in time. */
  readonly stop: () => Promise<ProcessExit>;
}

/** An embedded server with its data folder. */
export interface EmbeddedServer extends NodeProcess {
  readonly url: string;
  readonly dataDir: string;
}

const ownRoot = fileURLToPath(new URL("../../../", import.meta.url));
const runner = ["node_modules/moleculer/bin/moleculer-runner.js", "--config", "moleculer.config.ts", "--mask", "**/*.service.ts"];
/** Makes many short-lived processes cheaper: they share compiled modules, and hash passwords with little work. */
const fastStart = { NODE_COMPILE_CACHE: join(tmpdir(), "parley-compile-cache"), PASSWORD_COST: "4" };
/** For `npm run coverage`. No compile cache, because code from it is counted less exactly. */
const counting = (folder: string): ServerEnv => ({ NODE_V8_COVERAGE: folder, NODE_COMPILE_CACHE: "", NODE_DISABLE_COMPILE_CACHE: "1" });
const stopMs = 15_000;
const here = "127.0.0.1";

/**
 * The range of `freePort`. It is below the ports that the system gives to connections and to `listen(0)`, which could be in use by the time
 * the caller listens. Each Jest worker has its own range, so that no two workers choose the same port.
 */
const ports = { first: 10_000 + 2000 * (Number(process.env["JEST_WORKER_ID"] ?? 0) % 10), count: 2000 };
let given = randomInt(ports.count);

/** Returns a port that nothing listens on and that this process has not returned before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ports.first + (given++ % ports.count);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "parley-"));

/** Starts a node with this environment, and only PATH and HOME of this process. Does not wait until it is ready. */
export function startNode(role: string, env: ServerEnv, statusPort: number, place: NodeLocation = {}): NodeProcess {
  const { namespace, address = here, root = ownRoot } = place;
  const { PATH = "", HOME = "", PARLEY_COVERAGE: coverage } = process.env;
  // A file, not a pipe, so that the log is complete even when the test is too busy to read it.
  const logFolder = mkdtempSync(join(tmpdir(), "parley-log-"));
  const logFile = join(logFolder, `${role}.log`);
  const output = openSync(logFile, "a");
  const program = [...(namespace === undefined ? [] : ["ip", "netns", "exec", namespace]), process.execPath, ...runner];
  const child = spawn(program[0]!, program.slice(1), {
    cwd: root,
    env: { PATH, HOME, ...(coverage === undefined ? fastStart : { ...fastStart, ...counting(coverage) }), ...env },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  return watch(role, child, `http://${address}:${statusPort}`, logFolder, logFile);
}

function watch(role: string, child: ChildProcess, statusUrl: string, logFolder: string, logFile: string): NodeProcess {
  let ended: { readonly exit: ProcessExit; readonly log: string } | undefined;
  const exited = new Promise<ProcessExit>((resolve) =>
    child.once("exit", (code, signal) => {
      ended = { exit: { code, signal }, log: readFileSync(logFile, "utf8") };
      rmSync(logFolder, { recursive: true });
      resolve(ended.exit);
    }),
  );
  const forget = cleanUpOnExit(() => child.kill("SIGKILL"));
  void exited.then(forget);

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
    async ready(timeoutMs = 90_000) {
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
  readonly env?: ServerEnv;
  readonly dataDir?: string;
  /** Default a free one. */
  readonly port?: number;
  /** The checkout whose program it runs. Default this one. */
  readonly root?: string;
}

/** Starts an embedded server and waits until it is ready. Rate limits are off unless `env` turns them on. */
export async function startEmbedded({ env = {}, dataDir, port: givenPort, root }: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const port = givenPort ?? (await freePort());
  const folder = dataDir ?? (await temporaryFolder());
  const nodeEnv = { PORT: String(port), HOST: here, DATA_DIR: folder, LIMITS: "off", ...env };
  const node = startNode("embedded", nodeEnv, port, root === undefined ? {} : { root });
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
