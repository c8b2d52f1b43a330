/** Starts a mongod for a test: a replica set of one member on a free port, with a temporary data folder that is removed on stop. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import mongoose from "mongoose";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { eventually } from "../eventually.ts";
import { freeze } from "../fault-injection/freeze.ts";
import { freePort, temporaryFolder } from "../servers/server.ts";

export interface Mongod {
  readonly uri: string;
  freeze(): void;
  thaw(): void;
  /** Sends SIGKILL, and waits until the process has ended. */
  kill(): Promise<void>;
  /** Starts it again with its data, and waits until it accepts writes. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface MongodOptions {
  /** Default true. */
  readonly replicaSet?: boolean;
  /** Whether to initiate the replica set. Default true. */
  readonly isInitialized?: boolean;
  readonly transactionLifetimeSeconds?: number;
  /** Whether it accepts test commands, such as `configureFailPoint`. Default false. */
  readonly testCommands?: boolean;
  /** The address that it listens on. */
  readonly address?: string;
}

const program = process.env["MONGOD"] ?? "mongod";
/** Whether there is a mongod, on the PATH or named by the variable MONGOD. */
export const hasMongod = spawnSync(program, ["--version"]).status === 0;

export async function startMongod(options: MongodOptions = {}): Promise<Mongod> {
  const { replicaSet = true, isInitialized = true, transactionLifetimeSeconds = 3, testCommands = false, address = "127.0.0.1" } = options;
  const [port, folder] = [await freePort(), await temporaryFolder()];
  const place = ["--port", `${port}`, "--bind_ip", address, "--dbpath", folder, "--wiredTigerCacheSizeGB", "0.25"];
  const parameters = [`transactionLifetimeLimitSeconds=${transactionLifetimeSeconds}`, `enableTestCommands=${testCommands}`];
  const host = `${address}:${port}`;
  let mongod: ChildProcess;
  let ended: Promise<unknown>;
  let isNew = isInitialized;
  const killNow = () => void mongod.kill("SIGKILL");
  const forget = cleanUpOnExit(killNow);

  const own: Mongod = {
    uri: `mongodb://${host}/${replicaSet ? "?replicaSet=tests" : ""}`,
    freeze: () => freeze(mongod),
    thaw: () => void mongod.kill("SIGCONT"),
    async kill() {
      killNow();
      await ended;
    },
    async start() {
      const set = parameters.flatMap((parameter) => ["--setParameter", parameter]);
      mongod = spawn(program, [...place, ...set, ...(replicaSet ? ["--replSet", "tests"] : [])], { stdio: "ignore" });
      ended = once(mongod, "exit");
      const up = await Promise.race([waitUntilUp(host, { replicaSet, isInitialized, isNew }).then(() => true), ended.then(() => false)]);
      if (!up) throw new Error(`${program} ended instead of starting; run it by hand to see why`);
      isNew = false;
    },
    async stop() {
      forget();
      await own.kill();
      await rm(folder, { recursive: true });
    },
  };
  await own.start();
  return own;
}

/** Waits until mongod answers, and initiates the replica set when it is new. */
async function waitUntilUp(
  host: string,
  { replicaSet, isInitialized, isNew }: Required<Pick<MongodOptions, "replicaSet" | "isInitialized">> & { readonly isNew: boolean },
): Promise<void> {
  const client = new mongoose.mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
  const admin = client.db("admin");
  try {
    await admin.command({ ping: 1 });
    if (replicaSet && isNew) await admin.command({ replSetInitiate: { _id: "tests", members: [{ _id: 0, host }] } });
    if (isInitialized)
      await eventually("mongod accepts writes", async () => (await admin.command({ hello: 1 }))["isWritablePrimary"] === true, 30_000);
  } finally {
    await client.close();
  }
}
