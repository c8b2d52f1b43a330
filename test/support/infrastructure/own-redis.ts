/** Starts a Redis for one test, which the test can freeze, kill, and start again with its data or empty. */
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
  /** The keys that begin with the prefix. */
  readonly prefixed: (prefix: string) => Promise<string[]>;
  freeze(): void;
  thaw(): void;
  /** Saves its data to disk and kills it. */
  kill(): Promise<void>;
  /** Kills it without saving: it starts again empty. */
  crash(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const maxTries = 5;

/**
 * Runs a test's steps, and repeats them if they failed while a client did without Redis. A client does so for some seconds after Redis did
 * not answer for 250 ms, which can happen on a busy machine.
 * @param lines  what the clients logged during this try
 */
export async function whileRedisAnswers(lines: () => readonly string[], attempt: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (tries === maxTries || !lines().some((line) => line.startsWith("Redis is away"))) throw error;
    }
  }
}

/** @param address  that it listens on */
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
