/** Real Parley processes for tests and the demo: started as `npm start` starts them, watched, signalled, and ended by their own pid. */
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

/** Where a process runs, if not beside this one. */
export interface NodeLocation {
  /** A network namespace by its name. */
  readonly namespace?: string;
  /** Where it listens; 127.0.0.1 if not given. */
  readonly address?: string;
  /** Whose program it runs: another checkout's. */
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
  /** Where `/health` and `/ready` are answered. */
  readonly statusUrl: string;
  /** All that it printed so far. */
  readonly log: () => string;
  /** Where it prints to, until it ends. */
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  readonly hasEnded: () => boolean;
  /** Resolves when `/ready` is 200; rejects with the log when the process ends before that. */
  readonly ready: (timeoutMs?: number) => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM, and SIGKILL when that is not enough. */
  readonly stop: () => Promise<ProcessExit>;
}

/** An embedded server in a data folder of its own. */
export interface EmbeddedServer extends NodeProcess {
  readonly url: string;
  readonly dataDir: string;
}

const ownRoot = fileURLToPath(new URL("../../../", import.meta.url));
const runner = ["node_modules/moleculer/bin/moleculer-runner.js", "--config", "moleculer.config.ts", "--mask", "**/*.service.ts"];
/** What costs no less in many short lives: modules compiled once for all processes, passwords hashed with least work. */
const thrift = { NODE_COMPILE_CACHE: join(tmpdir(), "parley-compile-cache"), PASSWORD_COST: "4" };
/** For `npm run coverage`. What comes from a compile cache is counted less exactly. */
const counting = (folder: string): ServerEnv => ({ NODE_V8_COVERAGE: folder, NODE_COMPILE_CACHE: "", NODE_DISABLE_COMPILE_CACHE: "1" });
const stopMs = 15_000;
const here = "127.0.0.1";

/**
 * Below those that a system gives to connections and to `listen(0)`: one of these would be taken between now and its use. Each of Jest's
 * workers has some of its own, so that no two choose the same.
 */
const ports = { first: 10_000 + 2000 * (Number(process.env["JEST_WORKER_ID"] ?? 0) % 10), count: 2000 };
let given = randomInt(ports.count);

/** A port that nobody listens on, and that this process has not given before. */
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

/** Starts a process with this environment and nothing of ours but PATH and HOME; does not wait for it. */
export function startNode(role: string, env: ServerEnv, statusPort: number, place: NodeLocation = {}): NodeProcess {
  const { namespace, address = here, root = ownRoot } = place;
  const { PATH = "", HOME = "", PARLEY_COVERAGE: coverage } = process.env;
  // A file, not a pipe: the log is whole also when the test is too busy to read it.
  const logFolder = mkdtempSync(join(tmpdir(), "parley-log-"));
  const logFile = join(logFolder, `${role}.log`);
  const output = openSync(logFile, "a");
  const program = [...(namespace === undefined ? [] : ["ip", "netns", "exec", namespace]), process.execPath, ...runner];
  const child = spawn(program[0]!, program.slice(1), {
    cwd: root,
    env: { PATH, HOME, ...(coverage === undefined ? thrift : { ...thrift, ...counting(coverage) }), ...env },
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
  /** A free one if not given. */
  readonly port?: number;
  /** Whose program it runs, if not this checkout's. */
  readonly root?: string;
}

/** Starts an embedded server and waits until it is ready. Rate limits are off unless asked for. */
export async function startEmbedded({ env = {}, dataDir, port: asked, root }: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const port = asked ?? (await freePort());
  const folder = dataDir ?? (await temporaryFolder());
  const own = { PORT: String(port), HOST: here, DATA_DIR: folder, LIMITS: "off", ...env };
  const node = startNode("embedded", own, port, root === undefined ? {} : { root });
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
