/** A Redis of a test's own, to freeze, kill and bring back. It keeps its data over a restart. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { describe } from "@jest/globals";
import { Redis } from "ioredis";
import { eventually } from "./eventually.ts";
import { freePort, temporaryFolder } from "./server.ts";

/** Tests with a Redis of their own. Where there is none to start they are skipped, or fail with REQUIRE_INFRA=1. */
export function describeOwnRedis(title: string, tests: () => void): void {
  if (spawnSync("redis-server", ["--version"]).status === 0 || process.env["REQUIRE_INFRA"] === "1") describe(title, tests);
  else describe.skip(`${title} (skipped, it needs redis-server on the PATH)`, tests);
}

export interface OwnRedis {
  readonly url: string;
  /** The keys that begin so. */
  readonly prefixed: (prefix: string) => Promise<string[]>;
  freeze(): void;
  thaw(): void;
  /** Writes its data to disk and dies. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const [port, folder] = [await freePort(), await temporaryFolder()];
  const url = `redis://127.0.0.1:${port}`;
  let server: ChildProcess;
  let client: Redis;

  const own: OwnRedis = {
    url,
    prefixed: (prefix) => client.keys(`${prefix}*`),
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
    async kill() {
      await client.save();
      client.disconnect();
      server.kill("SIGKILL");
      await once(server, "exit");
    },
    async start() {
      server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder], { stdio: "ignore" });
      client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
      client.on("error", () => undefined);
      await eventually("Redis answers", () => client.ping().then(() => true));
    },
    async stop() {
      client.disconnect();
      if (server.exitCode === null && server.signalCode === null) {
        server.kill("SIGKILL");
        await once(server, "exit");
      }
      await rm(folder, { recursive: true });
    },
  };
  await own.start();
  return own;
}
