/**
 * A mesh's contents in MongoDB. A snapshot session reads all databases of all services at one cluster time, so it does not matter
 * which is read first: with a state of its own for each, a follower (chat) would have to be read before its source (request), or it
 * could hold a relation's rev 7 beside a source at 5, whose next change, rev 6, it would then ignore.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { mongo } from "mongoose";
import { CommandError } from "../../errors.ts";
import type { StoreContents, DeclaredDatabase, JsonRows, StoreSnapshot } from "../contents.ts";
import type { Collection } from "../store.ts";
import { lockField } from "./conditions.ts";
import { connect } from "./connection.ts";

const pageSize = 500;
const windowParameter = "minSnapshotHistoryWindowInSeconds";
/** What a backup reads at least, also from a busy store to a slow disk; measured figures are several times that. */
const slowBytesPerSecond = 4_000_000;
/** Said at each read: the connection's own, majority, would win over the session's, and each read would see a state of its own. */
const readConcern = { level: "snapshot" } as const;
const snapshotTooOld = 239;
const snapshotUnavailable = 246;
const noSuchCollection = 26;
const collectionExists = 48;
const maxTries = 50;
const tryAgainMs = 100;

/** @throws StartError  wrong credentials */
export async function openMongoContents(uri: string, mesh: string, log: Logger): Promise<StoreContents> {
  const connection = await connect(uri, log);
  const client = connection.getClient();
  const databaseOf = (service: string): mongo.Db => client.db(`${mesh}_${service}`);
  const rowsOf = (service: string, { name }: Collection) => databaseOf(service).collection(name);

  /** A session that reads one state: the first read, of a collection that there is, decides on its time. */
  async function beginSession(): Promise<mongo.ClientSession> {
    const installation = databaseOf("installation");
    for (let tries = 1; ; tries++) {
      const session = client.startSession({ snapshot: true });
      try {
        await installation.collection("facts").findOne({}, { session, readConcern });
        if ((session as { snapshotTime?: unknown }).snapshotTime !== undefined) return session;
        await installation.createCollection("facts");
      } catch (error) {
        const { code } = error as { code?: number };
        // Made just now, by this or by a node: no state that has it is a majority's yet.
        if ((code !== snapshotUnavailable && code !== collectionExists) || tries === maxTries) throw error;
      }
      await session.endSession();
      await pause(tryAgainMs);
    }
  }

  return {
    kind: "mongodb",
    async snapshot(say): Promise<StoreSnapshot> {
      await warnIfLong(client, mesh, say);
      const session = await beginSession();
      return {
        async *rows(service, collection): AsyncGenerator<JsonRows> {
          const cursor = rowsOf(service, collection).find(
            {},
            { session, readConcern, projection: { [lockField]: 0 }, batchSize: pageSize },
          );
          try {
            let page: string[] = [];
            for await (const row of cursor) {
              if (page.push(JSON.stringify(row)) < pageSize) continue;
              yield page;
              page = [];
            }
            if (page.length > 0) yield page;
          } catch (error) {
            throw (error as { code?: number }).code === snapshotTooOld ? tooOld() : error;
          }
        },
        close: () => session.endSession(),
      };
    },
    async firstFilled(databases) {
      for (const { service, collections } of databases) {
        for (const c of collections) {
          if ((await rowsOf(service, c).findOne({}, { projection: { _id: 1 } })) !== null) return `${service}.${c.name}`;
        }
      }
      return undefined;
    },
    async erase(databases: readonly DeclaredDatabase[]) {
      for (const { service, collections } of databases) {
        for (const c of collections) {
          await rowsOf(service, c)
            .drop()
            .catch((error: unknown) => {
              if ((error as { code?: number }).code !== noSuchCollection) throw error;
            });
        }
      }
    },
    close: () => connection.close(),
  };
}

const tooOld = (): CommandError =>
  new CommandError(
    `The backup took longer than MongoDB keeps the state it began with: raise ${windowParameter} (db.adminCommand({setParameter: 1, ${windowParameter}: 3600})), or write to a faster disk`,
  );

/** Compares the time that reading may take with the time that MongoDB keeps a state for. */
async function warnIfLong(client: mongo.MongoClient, mesh: string, say: (line: string) => void): Promise<void> {
  const admin = client.db().admin();
  const parameter = await admin.command({ getParameter: 1, [windowParameter]: 1 }).catch(() => undefined);
  const windowSeconds = Number(parameter?.[windowParameter] ?? 300);
  const { databases } = await admin.listDatabases();
  let bytes = 0;
  for (const { name } of databases) {
    // Media's database holds the files themselves too, which are read after the rows.
    if (!name.startsWith(`${mesh}_`) || name === `${mesh}_media`) continue;
    bytes += Number((await client.db(name).stats())["dataSize"]);
  }
  const longestSeconds = Math.ceil(bytes / slowBytesPerSecond);
  if (longestSeconds > windowSeconds) {
    say(
      `MongoDB keeps a state for ${windowSeconds} s, and ${Math.round(bytes / 1e6)} MB of rows may take up to ${longestSeconds} s: if it ends with an error, raise ${windowParameter}`,
    );
  }
}
