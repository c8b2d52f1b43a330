/** Opens an empty storage on each adapter of the blobs port, and removes it after the test. */
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import type { Logger } from "moleculer";
import mongoose from "mongoose";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { readConfig } from "../../../core/config/config.ts";
import { startCloudinaryEmulator } from "../infrastructure/cloudinary-emulator.ts";
import { mongoUri, type InfraPart } from "../infrastructure/infra.ts";
import { temporaryFolder } from "../servers/server.ts";
import { silentLogger } from "../store/stores.ts";

/** Opens each adapter's storage at a location. An adapter is a row here. */
const openers = {
  disk: async (folder: string, _name: string, log: Logger): Promise<Blobs> => {
    const { openDiskBlobs } = await import("../../../core/blobs/disk.ts");
    return openDiskBlobs(folder, { log });
  },
  gridfs: async (uri: string, mesh: string, log: Logger): Promise<Blobs> => {
    const { openGridFsBlobs } = await import("../../../core/blobs/gridfs.ts");
    return openGridFsBlobs(uri, mesh, { log });
  },
  cloudinary: async (account: string, folder: string, log: Logger): Promise<Blobs> => {
    const { openCloudinaryBlobs } = await import("../../../core/blobs/cloudinary.ts");
    return openCloudinaryBlobs(readConfig({ CLOUDINARY_URL: account }).CLOUDINARY_URL!, folder, { log });
  },
};

/** Location of a storage, also for another process: a folder; a MongoDB and the mesh's name; an account and its folder. */
export type BlobsLocation = readonly [adapter: keyof typeof openers, where: string, name: string];

export interface TestBlobs {
  readonly blobs: Blobs;
  readonly location: BlobsLocation;
  /** Counts what is stored, finished or not, to check that nothing is left over. */
  storedCount(): Promise<number>;
  remove(): Promise<void>;
}

export interface BlobsAdapter {
  readonly title: string;
  readonly needs: readonly InfraPart[];
  open(): Promise<TestBlobs>;
}

/** Opens the storage at this location, which may have blobs already. */
export const openBlobs = ([adapter, where, name]: BlobsLocation, log: Logger = silentLogger): Promise<Blobs> =>
  openers[adapter](where, name, log);

export const diskBlobs: BlobsAdapter = {
  title: "disk",
  needs: [],
  async open() {
    const place = ["disk", await temporaryFolder(), ""] as const;
    const blobs = await openBlobs(place);
    return {
      blobs,
      location: place,
      storedCount: async () => (await readdir(place[1], { recursive: true })).filter((name) => name !== "unfinished").length,
      async remove() {
        await blobs.close();
        await rm(place[1], { recursive: true });
      },
    };
  },
};

export const gridFsBlobs: BlobsAdapter = {
  title: "GridFS",
  needs: ["mongo"],
  async open() {
    const place = ["gridfs", mongoUri(), `test-${randomBytes(5).toString("hex")}`] as const;
    const blobs = await openBlobs(place);
    const client = new mongoose.mongo.MongoClient(place[1]);
    const db = client.db(`${place[2]}_media`);
    return {
      blobs,
      location: place,
      // A blob is a row and a file with chunks. Their numbers are equal if nothing is left over.
      async storedCount() {
        const rows = await db.collection("blobs").countDocuments();
        const files = await db.collection("blobs.files").countDocuments();
        const withChunks = (await db.collection("blobs.chunks").distinct("files_id")).length;
        return Math.max(rows, files, withChunks);
      },
      async remove() {
        await blobs.close();
        await db.dropDatabase();
        await client.close();
      },
    };
  },
};

export const cloudinaryBlobs: BlobsAdapter = {
  title: "Cloudinary",
  needs: [],
  async open() {
    const server = await startCloudinaryEmulator();
    const place = ["cloudinary", server.url, "parley/test"] as const;
    const blobs = await openBlobs(place);
    return {
      blobs,
      location: place,
      storedCount: () => Promise.resolve(server.stored().length),
      async remove() {
        await blobs.close();
        await server.stop();
      },
    };
  },
};

export const blobsAdapters: readonly BlobsAdapter[] = [diskBlobs, gridFsBlobs, cloudinaryBlobs];

/** A logger that keeps its warnings. */
export function recordWarnings(): { readonly log: Logger; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, log: { ...silentLogger, warn: (line: string) => void warnings.push(line) } };
}
