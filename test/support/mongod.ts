/** A MongoDB of the tests' own: a replica set of one member on a free port, its data in a temporary folder, gone when it is stopped. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import mongoose from "mongoose";
import { eventually } from "./eventually.ts";
import { freePort, temporaryFolder } from "./server.ts";

export interface Mongod {
  readonly uri: string;
  readonly pid: number;
  stop(): Promise<void>;
}

interface Options {
  /** Default true. */
  readonly replicaSet?: boolean;
  readonly transactionLifetimeSeconds?: number;
}

const program = process.env["MONGOD"] ?? "mongod";
/** Whether there is a mongod to start, on the PATH or named by the environment's MONGOD. */
export const hasMongod = spawnSync(program, ["--version"]).status === 0;

export async function startMongod({ replicaSet = true, transactionLifetimeSeconds = 3 }: Options = {}): Promise<Mongod> {
  const [port, folder] = [await freePort(), await temporaryFolder()];
  const place = ["--port", `${port}`, "--bind_ip", "127.0.0.1", "--dbpath", folder, "--wiredTigerCacheSizeGB", "0.25"];
  const lifetime = ["--setParameter", `transactionLifetimeLimitSeconds=${transactionLifetimeSeconds}`];
  const mongod = spawn(program, [...place, ...lifetime, ...(replicaSet ? ["--replSet", "tests"] : [])], { stdio: "ignore" });
  const ended = once(mongod, "exit");
  const kill = () => void mongod.kill("SIGKILL");
  process.once("exit", kill);
  const host = `127.0.0.1:${port}`;
  const up = await Promise.race([answering(host, replicaSet).then(() => true), ended.then(() => false)]);
  if (!up) throw new Error(`${program} ended at once; run it by hand to see why`);
  return {
    uri: `mongodb://${host}/${replicaSet ? "?replicaSet=tests" : ""}`,
    pid: mongod.pid!,
    async stop() {
      process.off("exit", kill);
      kill();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

/** Waits for it, and makes it a replica set. */
async function answering(host: string, replicaSet: boolean): Promise<void> {
  const client = new mongoose.mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
  const admin = client.db("admin");
  try {
    await admin.command({ ping: 1 });
    if (replicaSet) await admin.command({ replSetInitiate: { _id: "tests", members: [{ _id: 0, host }] } });
    await eventually("mongod takes writes", async () => (await admin.command({ hello: 1 }))["isWritablePrimary"] === true, 30_000);
  } finally {
    await client.close();
  }
}
