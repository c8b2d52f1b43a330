/** Faults that only blobs in GridFS can meet: dead and frozen writers, what they leave behind, and a MongoDB that is away. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import mongoose from "mongoose";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { gridFsBlobs, recordWarnings, openBlobs, type TestBlobs } from "../../support/ports/blobs.ts";
import { eventually, within } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { mongoUri } from "../../support/infrastructure/infra.ts";
import { hasMongod, startMongod } from "../../support/infrastructure/mongod.ts";
import { openTcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const { ObjectId } = mongoose.mongo;
const unavailable = { type: "UNAVAILABLE" };
const twoHours = 7_200_000;
const inPieces = (bytes: Buffer, size = 64 * 1024) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
    { objectMode: false },
  );

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describeWith(["mongo"], "Blobs in GridFS", () => {
  let opened: TestBlobs;
  let client: mongoose.mongo.MongoClient;
  beforeAll(async () => {
    opened = await gridFsBlobs.open();
    client = new mongoose.mongo.MongoClient(mongoUri());
  });
  afterAll(async () => {
    await client.close();
    await opened.remove();
  });

  interface Row {
    _id: string;
    current?: { fileId: mongoose.mongo.ObjectId; size: number };
    writing: mongoose.mongo.ObjectId[];
    gone: mongoose.mongo.ObjectId[];
  }
  const db = () => client.db(`${opened.location[2]}_media`);
  const rows = () => db().collection<Row>("blobs");
  const chunksOf = (fileId: mongoose.mongo.ObjectId) => db().collection("blobs.chunks").countDocuments({ files_id: fileId });
  /** Sweeps as another node does when it starts. */
  const sweep = async () => {
    const other = await openBlobs(opened.location);
    await other.close();
  };

  test("a process killed in the middle of a write leaves the old blob as it was, and what it had written is swept an hour later", async () => {
    const bytes = randomBytes(1000);
    const [key, other] = [newId(), newId()];
    await opened.blobs.write(key, inPieces(bytes));
    const before = await opened.storedCount();
    for (const target of [key, other]) {
      const program = fileURLToPath(new URL("../../support/ports/blobs-writer-process.ts", import.meta.url));
      const writer = spawn(process.execPath, [program, ...opened.location, target, "1000000"], { stdio: ["ignore", "pipe", "inherit"] });
      await once(writer.stdout, "data");
      writer.kill("SIGKILL");
      await once(writer, "exit");
    }
    expect(await buffer((await opened.blobs.read(key))!)).toEqual(bytes);
    expect(await opened.blobs.read(other)).toBeUndefined();

    await sweep();
    for (const target of [key, other]) {
      const left = (await rows().findOne({ _id: target }))!.writing[0]!;
      expect(await chunksOf(left)).toBeGreaterThan(2);
      // The file's id has the time at which its write began: set it to two hours ago.
      const earlier = new ObjectId(ObjectId.createFromTime(Math.floor((Date.now() - twoHours) / 1000)).toHexString().slice(0, 8) + left.toHexString().slice(8)); // prettier-ignore
      await db()
        .collection("blobs.chunks")
        .updateMany({ files_id: left }, { $set: { files_id: earlier } });
      await rows().updateOne({ _id: target }, { $set: { writing: [earlier] } });
    }
    await sweep();
    expect(await opened.storedCount()).toBe(before);
    expect(await buffer((await opened.blobs.read(key))!)).toEqual(bytes);
    expect(await rows().findOne({ _id: other })).toBeNull();
  });

  test("a removed blob whose chunks a dead process left is swept without a delay", async () => {
    const before = await opened.storedCount();
    const key = newId();
    await opened.blobs.write(key, inPieces(randomBytes(600_000)));
    const { fileId } = (await rows().findOne({ _id: key }))!.current!;
    await rows().updateOne({ _id: key }, { $set: { gone: [fileId] }, $unset: { current: 1 } });
    await sweep();
    expect(await opened.storedCount()).toBe(before);
  });

  /** Starts a write of which some chunks are stored, and gives it up as a sweep does after an hour. */
  async function giveUpWrite(key: string) {
    const source = new PassThrough();
    const writing = opened.blobs.write(key, source);
    source.write(randomBytes(600_000));
    const fileId = await eventually("it is being written", async () => (await rows().findOne({ _id: key }))?.writing[0]);
    await eventually("some of it is stored", async () => (await chunksOf(fileId)) > 1);
    await rows().updateOne({ _id: key }, { $set: { writing: [], gone: [fileId] } });
    await sweep();
    return { source, writing, fileId };
  }

  test("a writer that continues after its write was given up fails, and leaves nothing behind", async () => {
    const before = await opened.storedCount();
    const key = newId();
    const { source, writing } = await giveUpWrite(key);
    source.end(randomBytes(600_000));
    await expect(writing).rejects.toMatchObject(unavailable);
    expect(await opened.blobs.read(key)).toBeUndefined();
    expect(await opened.storedCount()).toBe(before);
  });

  test("a writer whose source fails after its write was given up leaves nothing behind", async () => {
    const before = await opened.storedCount();
    const key = newId();
    const { source, writing, fileId } = await giveUpWrite(key);
    expect(await rows().findOne({ _id: key })).toBeNull();
    source.write(randomBytes(600_000));
    await eventually("more of it is stored", async () => (await chunksOf(fileId)) > 1);
    const failure = new Error("The client has disconnected");
    source.destroy(failure);
    await expect(writing).rejects.toBe(failure);
    expect(await opened.storedCount()).toBe(before);
  });

  test("readers and writers that lose the connection to MongoDB fail, and a partial write does not count", async () => {
    const proxy = await openTcpProxy(`${mongoUri().split("?")[0]}?directConnection=true`);
    cleanUps.push(() => proxy.close());
    const { log, warnings } = recordWarnings();
    const blobs = await openBlobs(["gridfs", proxy.url, opened.location[2]], log);
    cleanUps.push(() => blobs.close());
    const [key, other] = [newId(), newId()];
    const bytes = randomBytes(3_000_000);
    await blobs.write(key, inPieces(bytes));

    const reading = (await blobs.read(key))!;
    await once(reading, "readable");
    const source = new PassThrough();
    const writing = blobs.write(other, source);
    source.write(randomBytes(600_000));
    await eventually("it is being written", () =>
      rows()
        .findOne({ _id: other })
        .then((row) => row !== null),
    );
    await proxy.cut();
    source.end(randomBytes(600_000));
    const calls = Promise.allSettled([buffer(reading), writing, blobs.read(key), blobs.remove([key])]);
    const outcomes = await within(12_000, "all calls have failed", calls);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { ...unavailable, message: "Temporarily unavailable, try again" } });
    }
    expect(warnings.every((line) => line.startsWith("Media storage fails to "))).toBe(true);
    expect(await blobs.health()).toEqual({ ok: false, detail: "MongoDB can't be reached" });

    await proxy.mend();
    const again = await eventually("it reads again", () => blobs.read(key), 60_000);
    expect((await buffer(again)).equals(bytes)).toBe(true);
    expect(await opened.blobs.read(other)).toBeUndefined();
    await blobs.write(other, inPieces(bytes));
    expect((await buffer((await blobs.read(other))!)).equals(bytes)).toBe(true);
  });

  (hasMongod ? test : test.skip)("calls to a frozen MongoDB fail within 12 s, and succeed again when it continues", async () => {
    const server = await startMongod();
    cleanUps.push(() => server.stop());
    const blobs = await openBlobs(["gridfs", server.uri, "test"]);
    cleanUps.push(() => blobs.close());
    const [key, bytes] = [newId(), randomBytes(1000)];
    await blobs.write(key, inPieces(bytes));
    server.freeze();
    const failures = Promise.all([
      expect(blobs.read(key)).rejects.toMatchObject(unavailable),
      expect(blobs.write(newId(), inPieces(bytes))).rejects.toMatchObject(unavailable),
      expect(blobs.health()).resolves.toMatchObject({ ok: false }),
    ]);
    await within(12_000, "the calls have failed", failures).finally(() => server.thaw());
    const again = await eventually("it serves again", () => blobs.read(key), 60_000);
    expect(await buffer(again)).toEqual(bytes);
  });

  test("wrong credentials make the start fail with one line", async () => {
    const uri = new URL(mongoUri());
    uri.username = "nobody";
    uri.password = "a-secret";
    const error = await openBlobs(["gridfs", uri.href, "test"]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).toMatch(/^MONGO_URI: [^\n]*user or the password[^\n]*$/);
  });

  test("a read of a range looks at the row and at the chunks of the range only", async () => {
    const key = newId();
    await opened.blobs.write(key, inPieces(randomBytes(3_000_000)));
    await db().command({ profile: 2 });
    cleanUps.push(() => db().command({ profile: 0 }));
    await buffer((await opened.blobs.read(key, { start: 300_000, end: 700_000 }))!);
    const queries = await db().collection("system.profile").find({ op: "query", ns: /blobs/ }).toArray();
    expect(queries.map(({ ns, docsExamined }) => [(ns as string).split(".").slice(1).join("."), docsExamined as number])).toEqual([
      ["blobs", 1],
      ["blobs.chunks", 1],
      ["blobs.chunks", 1],
    ]);
  });
});
