/** Faults that only blobs at Cloudinary can meet: a service that is away, refuses, stops answering or cuts connections; and its secrets. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { openCloudinaryBlobs } from "../../../core/blobs/cloudinary.ts";
import { readConfig } from "../../../core/config/config.ts";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { recordWarnings, openBlobs } from "../../support/ports/blobs.ts";
import { startCloudinaryEmulator, type CloudinaryEmulator } from "../../support/infrastructure/cloudinary-emulator.ts";
import { eventually, within } from "../../support/eventually.ts";
import { freePort, startEmbedded } from "../../support/servers/server.ts";
import { silentLogger } from "../../support/store/stores.ts";

const unavailable = { type: "UNAVAILABLE", message: "Temporarily unavailable, try again" };
const bytes = randomBytes(2_000_000);
const source = () => Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)], { objectMode: false });

let server: CloudinaryEmulator;
let blobs: Blobs;
let warnings: readonly string[];
beforeEach(async () => {
  server = await startCloudinaryEmulator();
  const recorded = recordWarnings();
  warnings = recorded.warnings;
  blobs = await openBlobs(["cloudinary", server.url, "parley/test"], recorded.log);
});
afterEach(async () => {
  await blobs.close();
  await server.stop();
});

/** Calls every method. @returns their outcomes */
const attempts = (key: string) =>
  Promise.allSettled([
    blobs.write(newId(), source(), bytes.length),
    blobs.read(key).then((stream) => buffer(stream!)),
    blobs.read(key, { start: 5, end: 1_900_000 }).then((stream) => buffer(stream!)),
    blobs.remove([key]),
  ]);
const settled = async <T>(promise: Promise<T>) => (await Promise.allSettled([promise]))[0];

test("a blob is stored in Parley's folder, and URLs without a signature do not deliver it", async () => {
  const key = newId();
  await blobs.write(key, source());
  expect(server.stored()).toEqual([`authenticated/parley/test/${key}`]);
  const cloud = new URL(server.url).hostname;
  for (const path of [`authenticated/v1`, `authenticated/s--${"x".repeat(32)}--/v1`, `upload/v1`, `private/v1`]) {
    const { status } = await fetch(`https://${server.host}/${cloud}/raw/${path}/parley/test/${key}`);
    expect([401, 404]).toContain(status);
  }
});

test.each(["broken", "refusing"] as const)(
  "while Cloudinary is %s every call fails as unavailable, and nothing stored changes",
  async (mode) => {
    const key = newId();
    await blobs.write(key, source());
    server.setMode(mode);
    expect(await attempts(key)).toEqual(
      Array.from({ length: 4 }, () => ({ status: "rejected", reason: expect.objectContaining(unavailable) })),
    );
    expect(await blobs.health()).toEqual({ ok: false, detail: "Cloudinary can't be reached, or rejects requests" });
    server.setMode("well");
    expect((await buffer((await blobs.read(key))!)).equals(bytes)).toBe(true);
    expect(await blobs.health()).toEqual({ ok: true });
    expect(server.stored()).toHaveLength(1);
  },
);

test("calls to a Cloudinary that stops answering fail after the idle timeout, and their connections are closed", async () => {
  await blobs.close();
  const account = readConfig({ CLOUDINARY_URL: server.url }).CLOUDINARY_URL!;
  blobs = await openCloudinaryBlobs(account, "parley/test", { log: silentLogger, idleTimeoutMs: 3000 });
  const key = newId();
  await blobs.write(key, source());
  server.setMode("stalling");
  const stalled = (await blobs.read(key))!;
  await once(stalled, "readable");
  server.setMode("silent");
  const [outcomes, delivery] = await within(8000, "all calls have failed", Promise.all([attempts(key), settled(buffer(stalled))]));
  expect(delivery).toMatchObject({ status: "rejected", reason: unavailable });
  expect(outcomes).toEqual(Array.from({ length: 4 }, () => ({ status: "rejected", reason: expect.objectContaining(unavailable) })));
  await eventually("no connection is left", () => server.connections() === 0);
});

test("a delivery that is cut off fails instead of ending early", async () => {
  const key = newId();
  await blobs.write(key, source());
  server.setMode("cutting");
  for (const range of [undefined, { start: 5, end: 1_900_000 }]) {
    const stream = (await blobs.read(key, range))!;
    await expect(buffer(stream)).rejects.toMatchObject(unavailable);
  }
});

test("a range is right even when Cloudinary delivers the whole file", async () => {
  const key = newId();
  await blobs.write(key, source());
  server.setMode("rangeless");
  for (const [start, end] of [
    [0, 0],
    [70_000, 1_900_000],
    [1_999_999, 3_000_000],
    [2_000_000, 2_000_001],
  ] as const) {
    expect((await buffer((await blobs.read(key, { start, end }))!)).equals(bytes.subarray(start, end + 1))).toBe(true);
  }
});

test("an upload is aborted when its source fails", async () => {
  const upload = new PassThrough();
  const writing = blobs.write(newId(), upload);
  upload.write(randomBytes(500_000));
  await eventually("the upload has begun", () => server.connections() > 0);
  upload.destroy(new Error("the client went away"));
  await expect(writing).rejects.toThrow("the client went away");
  await eventually("no connection is left", () => server.connections() === 0);
  expect(server.stored()).toEqual([]);
  expect(await blobs.health()).toEqual({ ok: true });
});

test("a delivery is aborted when its reader goes away", async () => {
  const key = newId();
  await blobs.write(key, source());
  const stream = (await blobs.read(key))!;
  await once(stream, "readable");
  stream.destroy();
  await eventually("no connection is left", () => server.connections() === 0);
});

test("two accounts in one process do not mix", async () => {
  const other = await startCloudinaryEmulator();
  const otherBlobs = await openBlobs(["cloudinary", other.url, "parley/test"]);
  const key = newId();
  await blobs.write(key, source());
  expect(await otherBlobs.read(key)).toBeUndefined();
  await otherBlobs.write(key, Readable.from([Buffer.from("theirs")], { objectMode: false }));
  expect((await buffer((await blobs.read(key))!)).equals(bytes)).toBe(true);
  expect((await buffer((await otherBlobs.read(key))!)).toString()).toBe("theirs");
  await otherBlobs.close();
  await other.stop();
});

test("a wrong key or secret makes the start fail with one line", async () => {
  for (const url of [server.url.replace(/:[\w-]+@/, ":wrong-secret@"), server.url.replace(/\/\/\d+/, "//1234")]) {
    const error = await openBlobs(["cloudinary", url, "parley/test"]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).toBe("CLOUDINARY_URL: Cloudinary rejected the key or the secret");
  }
});

test("a Cloudinary that is away does not delay the start, and a warning says that it is away", async () => {
  const recorded = recordWarnings();
  const away = server.url.replaceAll(server.host, `127.0.0.1:${await freePort()}`);
  const early = await openBlobs(["cloudinary", away, "parley/test"], recorded.log);
  expect(recorded.warnings).toEqual([expect.stringMatching(/^Cloudinary can't be reached/)]);
  expect(await early.health()).toMatchObject({ ok: false });
  await expect(early.write(newId(), source())).rejects.toMatchObject(unavailable);
  await early.close();
});

test("no secret, account key or signature appears in the log or in an error", async () => {
  const key = newId();
  await blobs.write(key, source());
  const errors: unknown[] = [];
  for (const mode of ["broken", "refusing", "cutting"] as const) {
    server.setMode(mode);
    for (const outcome of await attempts(key))
      if (outcome.status === "rejected") errors.push(JSON.stringify(outcome.reason), outcome.reason.stack);
  }
  expect(warnings.length).toBeGreaterThan(8);
  const [account] = /\/\/\d+:/.exec(server.url)!;
  for (const text of [...warnings, ...errors] as string[]) {
    expect(text).not.toContain(server.secret);
    expect(text).not.toContain(account.slice(2, -1));
    expect(text).not.toMatch(/s--[\w-]+--|signature=/);
  }
});

test("a server with CLOUDINARY_URL stores its files there", async () => {
  const { certificateFile } = await import("../../support/infrastructure/cloudinary-emulator.ts");
  const node = await startEmbedded({ env: { CLOUDINARY_URL: server.url, NODE_EXTRA_CA_CERTS: certificateFile } });
  const { parts } = (await (await fetch(`${node.url}/ready`)).json()) as { parts: Record<string, string> };
  expect(parts["media"]).toBe("ok");
  expect(await readdir(node.dataDir)).not.toContain("blobs");
  await node.stop();
  expect(node.log()).not.toContain(server.secret);
});
