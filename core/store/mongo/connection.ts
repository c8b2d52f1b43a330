/** Connects to MongoDB. Retries while the server is not there yet, and fails when a retry can't help. */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "moleculer";
import mongoose, { type ConnectOptions, type Connection } from "mongoose";
import { StartError } from "../../errors.ts";

/** Timeouts of one operation for a server, a connection or a reply. Callers give up after 10 s. */
const options: ConnectOptions = {
  serverSelectionTimeoutMS: 2000,
  connectTimeoutMS: 2000,
  waitQueueTimeoutMS: 2000,
  socketTimeoutMS: 7000,
  maxPoolSize: 50,
  bufferCommands: false,
  autoIndex: false,
  autoCreate: false,
  ignoreUndefined: true,
  retryWrites: true,
  readPreference: "primary",
  readConcern: { level: "majority" },
  writeConcern: { w: "majority", journal: true },
};
const backOffMs = { first: 250, longest: 5000 };
/**
 * Maximum time for which the server should keep a dead writer's transaction and its locked rows. With more, a chat is blocked for longer
 * than promised.
 */
export const maxTransactionSeconds = 5;

export async function connect(uri: string, log: Logger): Promise<Connection> {
  for (let waitMs = backOffMs.first; ; waitMs = Math.min(waitMs * 2, backOffMs.longest)) {
    const connection = mongoose.createConnection();
    // Without a listener, an error of a lost connection would end the process. Operations report it to their callers.
    connection.on("error", () => undefined);
    try {
      await connection.openUri(uri, options);
      await connection.db!.admin().command({ ping: 1 });
      return connection;
    } catch (error) {
      await connection.destroy().catch(() => undefined);
      throwIfHopeless(error as Error);
      log.warn(`MongoDB can't be reached, trying again in ${waitMs} ms: ${(error as Error).message}`);
    }
    await pause(waitMs);
  }
}

const authenticationFailed = 18;

function throwIfHopeless(error: Error & { code?: unknown }): void {
  if (error.code === authenticationFailed) throw new StartError("MONGO_URI: MongoDB rejected the user or the password");
  if (error.name === "MongoParseError") throw new StartError(`MONGO_URI: ${error.message}`);
}

/** @throws StartError  not a replica set, which transactions require */
export async function assertReplicaSet(connection: Connection, log: Logger): Promise<void> {
  const admin = connection.db!.admin();
  const { setName, msg } = await admin.command({ hello: 1 });
  if (setName === undefined && msg !== "isdbgrid")
    throw new StartError("MONGO_URI: this MongoDB is not a replica set (start mongod with --replSet)");
  const name = "transactionLifetimeLimitSeconds";
  try {
    const seconds = Number((await admin.command({ getParameter: 1, [name]: 1 }))[name]);
    if (seconds > maxTransactionSeconds) {
      log.warn(
        `MongoDB keeps a dead node's transaction for ${seconds} s and blocks its chat meanwhile: run mongod with --setParameter ${name}=3`,
      );
    }
  } catch (error) {
    log.warn(`MongoDB's ${name}, which should be 3, can't be read: ${(error as Error).message}`);
  }
}
