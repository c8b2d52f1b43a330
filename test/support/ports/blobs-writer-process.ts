/**
 * Stops in the middle of writing a blob, so that a test can kill the process there. Arguments: the storage's location, the key, and how
 * many bytes to write first. Prints a line when the storage has read them and wants more.
 */
import { Readable } from "node:stream";
import { openBlobs, type BlobsLocation } from "./blobs.ts";

const [adapter, where, name, key, bytes] = process.argv.slice(2) as [...BlobsLocation, string, string];

function* half() {
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let sent = 0; sent < Number(bytes); sent += piece.length) yield piece;
}
async function* stopping() {
  yield* half();
  process.stdout.write("half\n");
  await new Promise(() => setInterval(() => undefined, 60_000));
}

const blobs = await openBlobs([adapter, where, name]);
await blobs.write(key, Readable.from(stopping(), { objectMode: false, highWaterMark: 1 }));
