/**
 * Reads and erases the contents of a mesh in MongoDB. A snapshot session reads the databases of all services at one cluster time, so their
 * order does not matter. If each database were read at its own time, a follower (chat) would have to be read before its source (request):
 * otherwise the backup could contain a relation with rev 7 beside a source at rev 5, and the follower would ignore the source's next
 * change, rev 6.
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
/** Lowest expected speed of a backup, from a busy store to a slow disk. Measured speeds are several times higher. */
const slowBytesPerSecond = 4_000_000;
/** Passed with each read: the connection's own level, majority, would override the session's, and each read would see a different state. */
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

  /** Starts a session that reads one state. Its first read, which must be of an existing collection, sets the time. */
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
        // This process or a node has just created the collection: no majority snapshot includes it yet.
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
    `The backup took longer than MongoDB keeps the snapshot that it reads: raise ${windowParameter} (db.adminCommand({setParameter: 1, ${windowParameter}: 3600})), or write to a faster disk`,
  );

/** Warns when reading may take longer than MongoDB keeps the snapshot. */
async function warnIfLong(client: mongo.MongoClient, mesh: string, say: (line: string) => void): Promise<void> {
  const admin = client.db().admin();
  const parameter = await admin.command({ getParameter: 1, [windowParameter]: 1 }).catch(() => undefined);
  const windowSeconds = Number(parameter?.[windowParameter] ?? 300);
  const { databases } = await admin.listDatabases();
  let bytes = 0;
  for (const { name } of databases) {
    // Media's database also contains the files, which are read after the rows.
    if (!name.startsWith(`${mesh}_`) || name === `${mesh}_media`) continue;
    bytes += Number((await client.db(name).stats())["dataSize"]);
  }
  const longestSeconds = Math.ceil(bytes / slowBytesPerSecond);
  if (longestSeconds > windowSeconds) {
    say(
      `MongoDB keeps a snapshot for ${windowSeconds} s, and reading ${Math.round(bytes / 1e6)} MB of rows may take up to ${longestSeconds} s: if the backup fails, raise ${windowParameter}`,
    );
  }
}
