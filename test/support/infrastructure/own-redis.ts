/** A Redis of a test's own, to freeze, kill and bring back, with its data or empty. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { eventually } from "../eventually.ts";
import { freeze } from "../fault-injection/freeze.ts";
import { freePort, temporaryFolder } from "../servers/server.ts";

export interface OwnRedis {
  readonly url: string;
  /** The keys that begin so. */
  readonly prefixed: (prefix: string) => Promise<string[]>;
  freeze(): void;
  thaw(): void;
  /** Writes its data to disk and dies. */
  kill(): Promise<void>;
  /** Dies without a word: it comes back empty. */
  crash(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const mostTries = 5;

/**
 * A client that gets no answer for 250 ms does without Redis for some seconds: rightly so, but what it does with Redis can't be seen
 * then. A try that fails after such a moment is made again.
 * @param lines  what the clients told the operator in this try
 */
export async function whileRedisAnswers(lines: () => readonly string[], attempt: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (tries === mostTries || !lines().some((line) => line.startsWith("Redis is away"))) throw error;
    }
  }
}

/** @param address  where it listens */
export async function startOwnRedis(address = "127.0.0.1"): Promise<OwnRedis> {
  const [port, folder] = [await freePort(), await temporaryFolder()];
  const url = `redis://${address}:${port}`;
  const place = ["--port", `${port}`, "--bind", address, "--protected-mode", "no", "--dir", folder];
  let server: ChildProcess;
  const forget = cleanUpOnExit(() => void server.kill("SIGKILL"));
  let client: Redis;

  async function die(): Promise<void> {
    client.disconnect();
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  }

  const own: OwnRedis = {
    url,
    prefixed: (prefix) => client.keys(`${prefix}*`),
    freeze: () => freeze(server),
    thaw: () => void server.kill("SIGCONT"),
    async kill() {
      await client.save();
      await die();
    },
    async crash() {
      await die();
      await rm(join(folder, "dump.rdb"), { force: true });
    },
    async start() {
      server = spawn("redis-server", [...place, "--save", ""], { stdio: "ignore" });
      client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
      client.on("error", () => undefined);
      await eventually("Redis answers", () => client.ping().then(() => true));
    },
    async stop() {
      forget();
      await die();
      await rm(folder, { recursive: true });
    },
  };
  await own.start();
  return own;
}
