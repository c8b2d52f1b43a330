/**
 * `node scripts/container/init-replica-set.ts HOST:PORT NAME`: makes a new MongoDB a replica set of one member under that address,
 * and waits until it takes writes. One that is a replica set already is left as it is. While MongoDB can't be reached it tries again
 * for ever, and says so each time.
 */
import { setTimeout as pause } from "node:timers/promises";
import mongoose from "mongoose";

const retryMs = 2000;
/** MongoDB's codes. */
const codes = { notYetInitialized: 94, alreadyInitialized: 23, noReplication: 76 } as const;

/** Waiting can't mend it. */
class WrongSet extends Error {}

interface MongoFailure {
  readonly code?: unknown;
  readonly message: string;
}

/** @returns what is missing yet; undefined when it takes writes */
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
      process.stdout.write(`MongoDB at ${host} is the replica set ${name} now\n`);
    }
    const { setName, isWritablePrimary } = await admin.command({ hello: 1 });
    if (status !== undefined && setName !== undefined && setName !== name)
      throw new WrongSet(`MongoDB at ${host} is the replica set ${String(setName)} already, not ${name}`);
    return isWritablePrimary === true ? undefined : "it takes no writes yet";
  } catch (error) {
    if (error instanceof WrongSet) throw error;
    return (error as MongoFailure).code === codes.alreadyInitialized ? "it is being made a replica set" : (error as MongoFailure).message;
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
  process.stdout.write(`MongoDB at ${host} takes writes\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
