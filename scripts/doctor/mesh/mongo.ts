/** Checks MongoDB: reachable, new enough, a replica set that ends a dead writer's transaction soon, with free space; and the data in it. */
import mongoose, { type mongo } from "mongoose";
import { maxTransactionSeconds } from "../../../core/store/mongo/connection.ts";
import { compareClocks, fine, reasonOf, todo, type DoctorCheck, type Finding, type DoctorConnection } from "../check.ts";
import type { Meshed } from "../configuration.ts";
import { backupFinding, schemaFindings, type RowReader } from "../data.ts";
import { roomFinding } from "../machine.ts";
import { versionFinding } from "./versions.ts";

const waitMs = 5000;
const authenticationFailed = 18;

interface OpenMongo {
  readonly client: mongo.MongoClient;
  readonly meshName: string;
}
const on = (
  name: string,
  run: (client: mongo.MongoClient, meshName: string) => Promise<Finding | readonly Finding[]>,
): DoctorCheck<OpenMongo> => ({
  name,
  run: ({ client, meshName }) => run(client, meshName),
});

function explain(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: string };
  if (code === authenticationFailed) return "it refuses the user or the password: correct MONGO_URI";
  if (name === "MongoServerSelectionError") return `can't be reached (${reasonOf(error)}): start it, or correct MONGO_URI`;
  return `MONGO_URI: ${reasonOf(error)}`;
}

const version = on("MongoDB", async (client) => {
  const { version: text } = await client.db("admin").command({ buildInfo: 1 });
  return versionFinding("MongoDB", String(text));
});

const replicaSet = on("MongoDB replica set", async (client) => {
  const { setName, msg, hosts = [] } = await client.db("admin").command({ hello: 1 });
  if (msg === "isdbgrid") return fine("mongos");
  if (setName === undefined)
    return todo("MongoDB does not run as one, so there are no transactions: start mongod with --replSet and initiate it");
  const members = (hosts as readonly string[]).length;
  return fine(`${String(setName)}, ${members === 1 ? "1 member (3 survive the loss of one)" : `${members} members`}`);
});

const transactions = on("MongoDB transactions", async (client) => {
  const name = "transactionLifetimeLimitSeconds";
  const seconds = Number((await client.db("admin").command({ getParameter: 1, [name]: 1 }))[name]);
  if (seconds <= maxTransactionSeconds) return fine(`aborted after ${seconds} s`);
  return todo(`${name} is ${seconds}, and a node that dies blocks its chats for that long: run mongod with --setParameter ${name}=3`);
});

const clock = on("MongoDB clock", (client) =>
  compareClocks(async () => ((await client.db("admin").command({ hello: 1 }))["localTime"] as Date).getTime()),
);

const room = on("MongoDB disk", async (client, meshName) => {
  const { fsUsedSize, fsTotalSize } = await client.db(`${meshName}_chat`).command({ dbStats: 1 });
  if (typeof fsTotalSize !== "number" || fsTotalSize === 0) return fine("it does not report its size");
  return roomFinding("its data folder", fsTotalSize - Number(fsUsedSize), fsTotalSize);
});

interface MongoDocument {
  readonly _id: string;
  readonly [field: string]: unknown;
}
const rowsOf = (client: mongo.MongoClient, meshName: string): RowReader => {
  const collectionOf = (service: string, collection: string) => client.db(`${meshName}_${service}`).collection<MongoDocument>(collection);
  return {
    get: async (service, collection, id) => (await collectionOf(service, collection).findOne({ _id: id })) ?? undefined,
    firstId: async (service, collection) => (await collectionOf(service, collection).findOne({}, { sort: { _id: 1 } }))?._id,
  };
};

const data = on("Data", (client, meshName) => schemaFindings(rowsOf(client, meshName)));
const backup = on("Backup", (client, meshName) => backupFinding(rowsOf(client, meshName)));

/** Uses reads only. */
export const mongoPart: DoctorConnection<Meshed, OpenMongo> = {
  name: "MongoDB",
  async open({ mesh: { mongoUri, name: meshName } }) {
    const options = { serverSelectionTimeoutMS: waitMs, connectTimeoutMS: waitMs, socketTimeoutMS: waitMs };
    const client = new mongoose.mongo.MongoClient(mongoUri, options);
    try {
      await client.connect();
      return { client, meshName };
    } catch (error) {
      await client.close();
      throw error;
    }
  },
  close: ({ client }) => client.close(),
  explain,
  checks: [version, replicaSet, transactions, clock, room, data, backup],
};
