/** Tests what all adapters of the blobs port have in common. */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { checkedBlobs, type BlobAdapter } from "../../../core/blobs/adapter.ts";

const log = new ServiceBroker({ logger: false }).getLogger("TEST");
const reading = (bytes: () => Readable): BlobAdapter => ({
  write: () => Promise.resolve(),
  read: () => Promise.resolve(bytes()),
  names: () => Readable.from([]),
  remove: () => Promise.resolve(),
  health: () => Promise.resolve({ ok: true }),
  close: () => Promise.resolve(),
});

test("a read that fails before anyone consumes it does not end the process, and its consumer gets an error", async () => {
  const broken = () =>
    new Readable({
      read() {
        this.destroy(new Error("the storage went away"));
      },
    });
  const bytes = await checkedBlobs(reading(broken), log).read("0123456789abcdef01234567");
  // The failure passes through the streams in turns of its own.
  for (let turn = 0; turn < 10; turn++) await pause(0);
  expect(bytes!.destroyed).toBe(true);
  await expect(buffer(bytes!)).rejects.toThrow();
});
