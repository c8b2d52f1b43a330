/** Tests which files media keeps and drops, on real stores and storages: repeats, races, and unused files. */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { insert, remove, storeTime, type Database } from "../../../core/store/store.ts";
import { admit, reserve } from "../../../services/media/lifecycle/admission.ts";
import { dropReleasedFile, giveUp } from "../../../services/media/lifecycle/removal.ts";
import { profilePicture } from "../../../services/media/pictures.ts";
import type { MediaContext } from "../../../services/media/context.ts";
import { contentKey, imageKey, rawKey, thumbKey, type Purpose } from "../../../services/media/contract.ts";
import { openImageWorkers, type ImageWorkers } from "../../../services/media/images/image-workers.ts";
import { files, type MediaFileRow, type FileState } from "../../../services/media/files.repository.ts";
import { filesInUse } from "../../../services/file-users.ts";
import { sweep } from "../../../services/media/lifecycle/sweeper.ts";
import { diskBlobs, gridFsBlobs, type BlobsAdapter, type TestBlobs } from "../../support/ports/blobs.ts";
import { gpsPhoto } from "../../support/files/images.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { silentLogger, storeAdapters, type StoreAdapter, type StoreAdapterName, type TestStore } from "../../support/store/stores.ts";

const graceMs = 60_000;
const notFound = { type: "NOT_FOUND" };

/** The storage that a node uses beside each store, unless it is configured otherwise. */
const blobsBeside: Record<StoreAdapterName, BlobsAdapter> = { sqlite: diskBlobs, mongo: gridFsBlobs };
for (const adapter of storeAdapters) describeOn(adapter, blobsBeside[adapter.name]);

function describeOn(storeAdapter: StoreAdapter, blobsAdapter: BlobsAdapter): void {
  describeWith([...storeAdapter.needs, ...blobsAdapter.needs], `media on ${storeAdapter.title} and ${blobsAdapter.title}`, () => {
    let store: TestStore;
    let storage: TestBlobs;
    let db: Database;
    let photo: Buffer;
    let imageWorkers: ImageWorkers;
    beforeAll(async () => {
      imageWorkers = openImageWorkers();
      [store, storage, photo] = await Promise.all([storeAdapter.open(), blobsAdapter.open(), gpsPhoto(200, 100)]);
      db = await store.store.open("media", [files]);
    });
    afterAll(async () => {
      imageWorkers.close();
      await storage.remove();
      await store.remove();
    });

    const used = new Set<string>();
    let away: Purpose | undefined;
    let areHeld = false;
    /** @param laterMs  how much later than now it is */
    const contextAt = (laterMs = 0): MediaContext => ({
      db,
      blobs: storage.blobs,
      imageWorkers,
      clock: { now: () => Date.now() + laterMs, offsetMs: () => 0, stop: () => undefined },
      log: silentLogger,
      graceMs,
      areBlobsHeld: () => Promise.resolve(areHeld),
      filesInUse: (purpose, fileIds) =>
        purpose === away ? Promise.reject(new Error("it is away")) : Promise.resolve(fileIds.filter((fileId) => used.has(fileId))),
    });
    const tooLate = () => contextAt(graceMs + 10_000);
    const sweepLate = () => sweep(tooLate(), () => false);
    const row = (fileId: string): Promise<MediaFileRow | undefined> => db.get(files, fileId);
    const states = async (fileIds: readonly string[]): Promise<(FileState | undefined)[]> =>
      (await Promise.all(fileIds.map(row))).map((found) => found?.state);
    const isStored = async (key: string): Promise<boolean> => {
      const bytes = await storage.blobs.read(key);
      bytes?.destroy();
      return bytes !== undefined;
    };

    async function written(ownerId: string, bytes: Buffer, purpose: Purpose = "message"): Promise<string> {
      const { fileId } = await reserve(contextAt(), ownerId, purpose);
      await storage.blobs.write(rawKey(fileId), Readable.from([bytes]), bytes.length);
      return fileId;
    }
    const admitted = async (ownerId: string, bytes: Buffer, purpose?: Purpose) => {
      const fileId = await written(ownerId, bytes, purpose);
      return admit(contextAt(), ownerId, fileId, { name: "photo.jpg", size: bytes.length });
    };

    test("while a backup runs, the bytes of dropped files stay; the sweeper removes them afterwards", async () => {
      const { fileId } = await admitted(newId(), Buffer.from("words that a backup still has to read"));
      areHeld = true;
      await dropReleasedFile(contextAt(), fileId);
      await sweepLate();
      expect([(await row(fileId))?.state, await isStored(rawKey(fileId))]).toEqual(["dropped", true]);
      areHeld = false;
      await sweepLate();
      expect([await row(fileId), await isStored(rawKey(fileId))]).toEqual([undefined, false]);
    });

    test("only its owner can have a file admitted or given up", async () => {
      const [owner, other] = [newId(), newId()];
      const fileId = await written(owner, photo);
      await expect(admit(contextAt(), other, fileId, { name: "x", size: 1 })).rejects.toMatchObject(notFound);
      await expect(admit(contextAt(), owner, newId(), { name: "x", size: 1 })).rejects.toMatchObject(notFound);
      await giveUp(contextAt(), other, fileId);
      expect(await states([fileId])).toEqual(["reserved"]);
      await giveUp(contextAt(), owner, fileId);
      expect(await states([fileId])).toEqual(["dropped"]);
      expect(await isStored(rawKey(fileId))).toBe(false);
      await expect(admit(contextAt(), owner, fileId, { name: "x", size: 1 })).rejects.toMatchObject(notFound);
    });

    test("a file of a purpose that only another release knows is neither kept nor dropped", async () => {
      const [known, unknown] = [newId(), newId()];
      const expiresAt = Date.now();
      await db.commit([
        insert(files, { _id: known, ownerId: newId(), purpose: "message", state: "reserved", since: storeTime, expiresAt }),
        insert(files, { _id: unknown, ownerId: newId(), purpose: "banner" as Purpose, state: "reserved", since: storeTime, expiresAt }),
      ]);
      // Every service answers that it uses none of the files.
      const inUse = { call: () => Promise.resolve([]) };
      const context: MediaContext = { ...tooLate(), filesInUse: (purpose, fileIds) => filesInUse(inUse, purpose, fileIds) };
      await sweep(context, () => false);
      expect(await states([known, unknown])).toEqual(["dropped", "reserved"]);
      await db.commit([remove(files, { _id: unknown })]);
    });

    test("a reserved file without bytes is refused", async () => {
      const owner = newId();
      const { fileId } = await reserve(contextAt(), owner, "message");
      await expect(admit(contextAt(), owner, fileId, { name: "x", size: 1 })).rejects.toMatchObject(notFound);
    });

    test("a repeat, and two at once, have one result, and the original of an image is not kept", async () => {
      const owner = newId();
      const fileId = await written(owner, photo);
      const admitOnce = () => admit(contextAt(), owner, fileId, { name: "photo.jpg", size: photo.length });
      const results = [...(await Promise.all([admitOnce(), admitOnce(), admitOnce()])), await admitOnce()];
      for (const result of results) expect(result).toEqual(results[0]);
      expect(results[0]).toMatchObject({ fileId, mimeType: "image/jpeg", width: 100, height: 200, hasThumb: true });
      const content = await buffer((await storage.blobs.read(contentKey(results[0]!)))!);
      expect(content.length).toBe(results[0]!.size);
      expect(await isStored(rawKey(fileId))).toBe(false);
      expect(await isStored(thumbKey(fileId))).toBe(true);
    });

    test("a file that is dropped during its admission is not kept", async () => {
      const owner = newId();
      const fileId = await written(owner, photo);
      const admission = admit(contextAt(), owner, fileId, { name: "photo.jpg", size: photo.length });
      const drop = dropReleasedFile(contextAt(), fileId).catch(() => dropReleasedFile(contextAt(), fileId));
      const [judged] = await Promise.allSettled([admission, drop]);
      expect(await states([fileId])).toEqual(["dropped"]);
      if (judged.status === "rejected") expect(judged.reason).toMatchObject(notFound);
      await sweepLate();
      expect(await row(fileId)).toBeUndefined();
      for (const key of [rawKey(fileId), imageKey(fileId), thumbKey(fileId)]) expect(await isStored(key)).toBe(false);
    });

    test("a drop removes the bytes immediately, may be repeated, and may name an unknown file", async () => {
      const { fileId } = await admitted(newId(), photo);
      for (let time = 0; time < 2; time++) {
        await dropReleasedFile(contextAt(), fileId);
        expect(await isStored(imageKey(fileId))).toBe(false);
      }
      await sweepLate();
      await dropReleasedFile(contextAt(), fileId);
      await dropReleasedFile(contextAt(), newId());
      expect(await row(fileId)).toBeUndefined();
    });

    test("a file in use cannot be given up", async () => {
      const owner = newId();
      const { fileId } = await admitted(owner, photo);
      used.add(fileId);
      await giveUp(contextAt(), owner, fileId);
      expect(await states([fileId])).toEqual(["ready"]);
      await sweepLate();
      used.delete(fileId);
      await giveUp(contextAt(), owner, fileId);
      expect(await states([fileId])).toEqual(["kept"]);
      await dropReleasedFile(contextAt(), fileId);
    });

    test("only an admitted profile picture is served as a picture", async () => {
      const owner = newId();
      const pictureId = (await admitted(owner, photo, "profile")).fileId;
      expect(await profilePicture(contextAt(), pictureId)).toMatchObject({ fileId: pictureId, mimeType: "image/webp", hasThumb: true });
      for (const fileId of [(await admitted(owner, photo)).fileId, await written(owner, photo, "profile"), newId()]) {
        await expect(profilePicture(contextAt(), fileId)).rejects.toMatchObject(notFound);
      }
      await dropReleasedFile(contextAt(), pictureId);
      await expect(profilePicture(contextAt(), pictureId)).rejects.toMatchObject(notFound);
    });

    test("the sweeper removes files that nothing refers to, and keeps used and recent ones", async () => {
      await sweepLate();
      const owner = newId();
      const text = Buffer.from("text");
      const unjudged = await written(owner, text);
      const unused = (await admitted(owner, text)).fileId;
      const inUse = (await admitted(owner, photo)).fileId;
      const ofAway = (await admitted(owner, photo, "profile")).fileId;
      const all = [unjudged, unused, inUse, ofAway];
      used.add(inUse);
      await sweep(contextAt(), () => false);
      expect(await states(all)).toEqual(["reserved", "ready", "ready", "ready"]);

      away = "profile";
      await sweepLate();
      expect(await states(all)).toEqual(["dropped", "dropped", "kept", "ready"]);
      expect(await Promise.all([isStored(rawKey(unused)), isStored(imageKey(inUse)), isStored(imageKey(ofAway))])).toEqual([
        false,
        true,
        true,
      ]);
      away = undefined;
      await sweepLate();
      expect(await states(all)).toEqual([undefined, undefined, "kept", "dropped"]);
    });

    test("two sweepers at once go over many files and remove each once", async () => {
      const owner = newId();
      const text = Buffer.from("text");
      const fileIds: string[] = [];
      // As many at once as one person may send.
      while (fileIds.length < 230) {
        const some = await Promise.all(Array.from({ length: 23 }, () => admitted(owner, text)));
        fileIds.push(...some.map(({ fileId }) => fileId));
      }
      const kept = fileIds.filter((_, index) => index % 10 === 0);
      for (const fileId of kept) used.add(fileId);
      await Promise.all([sweepLate(), sweepLate()]);
      await Promise.all([sweepLate(), sweepLate()]);
      const left = (await states(fileIds)).filter((state) => state !== undefined);
      expect(left).toEqual(kept.map(() => "kept"));
      expect(await Promise.all(fileIds.map((fileId) => isStored(rawKey(fileId))))).toEqual(fileIds.map((fileId) => used.has(fileId)));
    });
  });
}
