/** The suite of the port `core/blobs/blobs.ts`, run on each of its adapters. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { newId } from "../../../core/ids.ts";
import { blobsAdapters, type TestBlobs } from "../../support/ports/blobs.ts";
import { certificateFile } from "../../support/infrastructure/cloudinary-emulator.ts";
import { eventually } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";

const invalid = { type: "VALIDATION" };
const unavailable = { type: "UNAVAILABLE" };
/** The size of a GridFS chunk. Ranges are most likely to go wrong around its multiples. */
const chunk = 255 * 1024;

describeWithEach((open) => {
  let opened: TestBlobs;
  let blobs: Blobs;
  beforeAll(async () => {
    opened = await open();
    ({ blobs } = opened);
  });
  afterAll(() => opened.remove());

  const stored = async (bytes: Buffer, key = newId()): Promise<string> => {
    await blobs.write(key, inPieces(bytes), bytes.length);
    return key;
  };
  const read = async (...of: Parameters<Blobs["read"]>): Promise<Buffer | undefined> => {
    const stream = await blobs.read(...of);
    return stream && buffer(stream);
  };
  /** Waits until the storage holds as much as before. */
  const nothingRemains = async (before: number) =>
    eventually("nothing remains", async () => (await opened.storedCount()) === before).catch(async () =>
      expect(await opened.storedCount()).toBe(before),
    );

  test.each([1, chunk - 1, chunk, chunk + 1, 5_000_000])("%d bytes are read as they were written", async (size) => {
    const bytes = randomBytes(size);
    const key = await stored(bytes);
    expect((await read(key))!.equals(bytes)).toBe(true);
  });

  test("a range returns its bytes, up to the end of the blob", async () => {
    const bytes = randomBytes(2 * chunk + 1000);
    const key = await stored(bytes);
    for (const [start, end] of [
      [0, 0],
      [0, 9],
      [1, chunk - 1],
      [chunk - 1, chunk],
      [chunk, 2 * chunk - 1],
      [100, 2 * chunk + 50],
      [bytes.length - 1, bytes.length - 1],
      [2 * chunk + 990, bytes.length + 5000],
      [bytes.length, bytes.length + 1],
    ] as const) {
      const part = (await read(key, { start, end }))!;
      expect({ start, end, equal: part.equals(bytes.subarray(start, end + 1)) }).toEqual({ start, end, equal: true });
    }
  });

  test("reading a blob that does not exist returns undefined, with a range too", async () => {
    expect(await blobs.read(newId())).toBeUndefined();
    expect(await blobs.read(newId(), { start: 0, end: 5 })).toBeUndefined();
  });

  test("a file and its thumbnail are separate blobs", async () => {
    const id = newId();
    const [whole, small] = [randomBytes(2000), randomBytes(100)];
    await stored(whole, id);
    await stored(small, `${id}.thumb`);
    await blobs.remove([id]);
    expect(await read(id)).toBeUndefined();
    expect(await read(`${id}.thumb`)).toEqual(small);
  });

  test("a key that is written again has the new bytes, and the old ones are removed", async () => {
    const key = await stored(randomBytes(600_000));
    const before = await opened.storedCount();
    const bytes = randomBytes(1000);
    await stored(bytes, key);
    expect(await read(key)).toEqual(bytes);
    await nothingRemains(before);
  });

  test("the list of keys has each key that has bytes once, and no removed key", async () => {
    const kept = [await stored(randomBytes(600_000)), await stored(randomBytes(10), `${newId()}.thumb`)];
    const gone = await stored(randomBytes(10));
    await blobs.remove([gone]);
    const keys: string[] = [];
    for await (const key of blobs.keys()) keys.push(key);
    expect(keys).toEqual(expect.arrayContaining(kept));
    expect(keys).not.toContain(gone);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("a removed blob is gone, and removing a missing one is no error", async () => {
    const before = await opened.storedCount();
    const keys = [await stored(randomBytes(600_000)), await stored(randomBytes(10)), newId()];
    await blobs.remove(keys);
    await blobs.remove(keys);
    await blobs.remove([]);
    for (const key of keys) expect(await blobs.read(key)).toBeUndefined();
    await nothingRemains(before);
  });

  test("a source that fails half-way leaves nothing behind, and the blob that it would have replaced stays", async () => {
    const bytes = randomBytes(1000);
    const key = await stored(bytes);
    const before = await opened.storedCount();
    for (const target of [key, newId()]) {
      await expect(blobs.write(target, failing(600_000))).rejects.toThrow("the client went away");
    }
    const abandoned = new PassThrough();
    const writing = blobs.write(newId(), abandoned);
    abandoned.write(randomBytes(10_000), () => abandoned.destroy());
    await expect(writing).rejects.toThrow();
    expect(await read(key)).toEqual(bytes);
    await nothingRemains(before);
  });

  test("a source that fails before it is read makes the write fail, and does no harm", async () => {
    const [failed, destroyed] = [new PassThrough(), new PassThrough()];
    const writing = [blobs.write(newId(), failed), blobs.write(newId(), destroyed.destroy())];
    failed.destroy(new Error("the client went away"));
    expect((await Promise.allSettled(writing)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("a source that is empty or has not the announced size is refused and destroyed", async () => {
    const before = await opened.storedCount();
    for (const [bytes, size] of [
      [400_000, 400_001],
      [400_000, 399_999],
      [0, 0],
      [0, undefined],
      [0, 5],
    ] as const) {
      const source = inPieces(randomBytes(bytes));
      await expect(blobs.write(newId(), source, size)).rejects.toMatchObject(invalid);
      expect(source.destroyed).toBe(true);
    }
    const endless = Readable.from(repeated(randomBytes(1000)), { objectMode: false });
    await expect(blobs.write(newId(), endless, 10_000)).rejects.toMatchObject(invalid);
    expect(endless.destroyed).toBe(true);
    await nothingRemains(before);
  });

  test("an invalid key is refused by every method", async () => {
    const before = await opened.storedCount();
    const id = newId();
    for (const key of [
      "",
      "../../etc/passwd",
      `../${id}`,
      `${id}/../x`,
      `${id}.`,
      `${id}.a/b`,
      `${id}.${"x".repeat(17)}`,
      `${id}\n`,
      id.toUpperCase().replace(/\d/g, "F"),
      "unfinished",
      // eslint-disable-next-line no-restricted-syntax -- not a string, as it might come from a query
      { $ne: null } as unknown as string,
    ]) {
      const source = inPieces(randomBytes(10));
      await expect(blobs.write(key, source)).rejects.toMatchObject(invalid);
      expect(source.destroyed).toBe(true);
      await expect(blobs.read(key)).rejects.toMatchObject(invalid);
      await expect(blobs.remove([newId(), key])).rejects.toMatchObject(invalid);
    }
    await nothingRemains(before);
  });

  test("an invalid range is refused", async () => {
    const key = await stored(randomBytes(10));
    for (const [start, end] of [
      [5, 4],
      [-1, 4],
      [0.5, 4],
      [0, NaN],
      [0, Infinity],
    ] as const) {
      await expect(blobs.read(key, { start, end })).rejects.toMatchObject(invalid);
    }
  });

  test("when many write one key simultaneously, the bytes of one remain complete, and nothing of the others", async () => {
    const before = await opened.storedCount();
    const key = newId();
    const versions = Array.from({ length: 8 }, () => randomBytes(300_000));
    await Promise.all(versions.map((bytes) => stored(bytes, key)));
    const bytes = (await read(key))!;
    expect(versions.filter((version) => version.equals(bytes))).toHaveLength(1);
    await blobs.remove([key]);
    await nothingRemains(before);
  });

  test.each(["replaced", "removed"])(
    "a reader of a blob that is %s meanwhile gets the old bytes or an error, never a mix or only a part",
    async (what) => {
      const bytes = randomBytes(5_000_000);
      const key = await stored(bytes);
      const [slow, slower] = [(await blobs.read(key))!, (await blobs.read(key, { start: 100_000, end: 4_900_000 }))!];
      await Promise.all([once(slow, "readable"), once(slower, "readable")]);
      await (what === "removed" ? blobs.remove([key]) : stored(randomBytes(5_000_000), key));
      const outcomes = await Promise.allSettled([buffer(slow), buffer(slower)]);
      outcomes.forEach((outcome, i) => {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject(unavailable);
        else expect(outcome.value.equals(i === 0 ? bytes : bytes.subarray(100_000, 4_900_001))).toBe(true);
      });
    },
  );

  test("readers that go away leave no file or connection open", async () => {
    const key = await stored(randomBytes(2_000_000));
    await read(key);
    const openNow = async () => (process.platform === "linux" ? (await readdir("/proc/self/fd")).length : 0);
    const before = await openNow();
    for (let round = 0; round < 3; round++) {
      const streams = await Promise.all(Array.from({ length: 20 }, async () => (await blobs.read(key))!));
      await Promise.all(streams.filter((_, i) => i % 2 === 0).map((stream) => once(stream, "readable")));
      await Promise.all(streams.map((stream) => once(stream.destroy(), "close")));
    }
    // A client of the storage may keep a few connections to it.
    await eventually("as few files are open as before", async () => (await openNow()) <= before + 20);
    expect((await read(key))!.length).toBe(2_000_000);
  });

  test("twenty simultaneous streams of 5 MB in each direction take little memory, even when readers are slow", async () => {
    const program = fileURLToPath(new URL("../../support/ports/blobs-load-process.ts", import.meta.url));
    const child = spawn(process.execPath, ["--expose-gc", program, ...opened.location], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_EXTRA_CA_CERTS: certificateFile },
    });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    expect(code).toBe(0);
    const seen = JSON.parse(output) as { intact: number; grewMegabytes: Record<string, number> };
    process.stderr.write(`grew by so many MB: ${JSON.stringify(seen.grewMegabytes)}\n`);
    expect(seen.intact).toBe(40);
    for (const megabytes of Object.values(seen.grewMegabytes)) expect(megabytes).toBeLessThan(64);
  });

  test("a working storage reports that it is healthy", async () => {
    expect(await blobs.health()).toEqual({ ok: true });
  });
});

function inPieces(bytes: Buffer, size = 64 * 1024): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  return Readable.from(pieces, { objectMode: false });
}

function failing(afterBytes: number): Readable {
  return Readable.from(
    (function* () {
      yield randomBytes(afterBytes);
      throw new Error("the client went away");
    })(),
    { objectMode: false },
  );
}

function* repeated(bytes: Buffer) {
  for (;;) yield bytes;
}

/** The same tests for each adapter. */
function describeWithEach(tests: (open: () => Promise<TestBlobs>) => void): void {
  for (const adapter of blobsAdapters) describeWith(adapter.needs, `Blobs on ${adapter.title}`, () => tests(() => adapter.open()));
}
