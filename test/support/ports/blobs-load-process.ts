/**
 * Writes and reads many blobs at the same time and measures its memory. Arguments: the storage's location. Prints, as JSON, how many
 * blobs were read intact, and how much the process grew at most in each part, after a first round with a few.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { newId } from "../../../core/ids.ts";
import { openBlobs, type BlobsLocation } from "./blobs.ts";

const count = 20;
const size = 5 * 1024 * 1024;
const piece = randomBytes(64 * 1024);
const [adapter, where, name] = process.argv.slice(2);
const blobs = await openBlobs([adapter as BlobsLocation[0], where!, name!]);

/** Every blob repeats one piece, so that this program keeps none of them in memory. */
const source = () => Readable.from(Array.from({ length: size / piece.length }, () => piece), { objectMode: false }); // prettier-ignore
const digestOf = async (stream: Readable): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest("hex");
};
const expected = await digestOf(source());

let keys = Array.from({ length: 3 }, () => newId());
const all = <T>(act: (key: string) => Promise<T>) => Promise.all(keys.map(act));
const slowReaders: Readable[] = [];
let intact = 0;
const check = async (stream: Readable): Promise<void> => {
  if ((await digestOf(stream)) === expected) intact += 1;
};
const parts: Readonly<Record<string, () => Promise<unknown>>> = {
  written: () => all((key) => blobs.write(key, source(), size)),
  read: () => all(async (key) => check((await blobs.read(key))!)),
  waitingToBeRead: () =>
    all(async (key) => {
      const stream = (await blobs.read(key))!;
      await once(stream, "readable");
      slowReaders.push(stream);
    }),
  readLate: () => Promise.all(slowReaders.splice(0).map(check)),
};

for (const part of Object.values(parts)) await part();
await blobs.remove(keys);
keys = Array.from({ length: count }, () => newId());
intact = 0;
const grewMegabytes: Record<string, number> = {};
globalThis.gc!();
const before = process.memoryUsage.rss();
for (const [name, part] of Object.entries(parts)) {
  let most = before;
  // Collect garbage all the time, so that only the memory that streams hold is measured.
  const watch = setInterval(() => {
    globalThis.gc!();
    most = Math.max(most, process.memoryUsage.rss());
  }, 10);
  await part();
  clearInterval(watch);
  grewMegabytes[name] = Math.round((most - before) / 1024 / 1024);
}
await blobs.remove(keys);
await blobs.close();
process.stdout.write(JSON.stringify({ intact, grewMegabytes }));
