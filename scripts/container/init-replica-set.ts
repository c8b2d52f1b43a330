/**
 * `node scripts/container/init-replica-set.ts HOST:PORT NAME`: initiates a new MongoDB as a replica set with one member at that address,
 * and waits until it accepts writes. An existing replica set stays unchanged. While MongoDB can't be reached, it retries for ever and logs
 * each try.
 */
import { setTimeout as pause } from "node:timers/promises";
import mongoose from "mongoose";

const retryMs = 2000;
/** MongoDB's error codes. */
const codes = { notYetInitialized: 94, alreadyInitialized: 23, noReplication: 76 } as const;

/** A retry can't help. */
class WrongSet extends Error {}

interface MongoFailure {
  readonly code?: unknown;
  readonly message: string;
}

/** @returns what is still missing; undefined when MongoDB accepts writes */
async function makeReplicaSet(host: string, name: string): Promise<string | undefined> {
  const client = new mongoose.mongo.MongoClient(`mongodb://${host}/?directConnection=true`, { serverSelectionTimeoutMS: 2000 });
  try {
    const admin = client.db("admin");
    const status = await admin.command({ replSetGetStatus: 1 }).catch((error: unknown) => {
      const { code } = error as MongoFailure;
      if (code === codes.noReplication) throw new WrongSet(`MongoDB at ${host} was started without --replSet`);
      if (code !== codes.notYetInitialized) throw error;
      return undefined;
    });
    if (status === undefined) {
      await admin.command({ replSetInitiate: { _id: name, members: [{ _id: 0, host }] } });
      process.stdout.write(`MongoDB at ${host} is now the replica set ${name}\n`);
    }
    const { setName, isWritablePrimary } = await admin.command({ hello: 1 });
    if (status !== undefined && setName !== undefined && setName !== name)
      throw new WrongSet(`MongoDB at ${host} is already the replica set ${String(setName)}, not ${name}`);
    return isWritablePrimary === true ? undefined : "it does not accept writes yet";
  } catch (error) {
    if (error instanceof WrongSet) throw error;
    return (error as MongoFailure).code === codes.alreadyInitialized
      ? "the replica set is being initiated"
      : (error as MongoFailure).message;
  } finally {
    await client.close();
  }
}

try {
  const [host, name] = process.argv.slice(2);
  if (host === undefined || name === undefined) throw new Error("Usage: node scripts/container/init-replica-set.ts HOST:PORT NAME");
  for (let missing = await makeReplicaSet(host, name); missing !== undefined; missing = await makeReplicaSet(host, name)) {
    process.stdout.write(`MongoDB at ${host}: ${missing}; trying again in ${retryMs} ms\n`);
    await pause(retryMs);
  }
  process.stdout.write(`MongoDB at ${host} accepts writes\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
