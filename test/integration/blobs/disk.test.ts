/** Faults that only blobs on disk can meet: a process killed in the middle of a write, a full disk, a folder that can't be used. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { recordWarnings, openBlobs, type BlobsLocation } from "../../support/ports/blobs.ts";
import { temporaryFolder } from "../../support/servers/server.ts";

let folder: string;
let place: BlobsLocation;
beforeEach(async () => {
  folder = await temporaryFolder();
  place = ["disk", join(folder, "blobs"), ""];
});
afterEach(() => rm(folder, { recursive: true }));
const program = (name: string) => fileURLToPath(new URL(`../../support/ports/${name}`, import.meta.url));
const oneChunk = (bytes: Buffer) => Readable.from([bytes], { objectMode: false });

test("a process killed in the middle of a write leaves the old blob as it was, and the next start removes what it had written", async () => {
  const [key, other] = [newId(), newId()];
  const bytes = randomBytes(1000);
  const blobs = await openBlobs(place);
  await blobs.write(key, oneChunk(bytes));
  await blobs.close();
  for (const target of [key, other]) {
    const writer = spawn(process.execPath, [program("blobs-writer-process.ts"), ...place, target, "1000000"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(writer.stdout, "data");
    writer.kill("SIGKILL");
    await once(writer, "exit");
  }
  expect(await readdir(join(place[1], "unfinished"))).toHaveLength(1);

  const again = await openBlobs(place);
  expect(await readdir(place[1], { recursive: true })).toEqual([key, "unfinished"]);
  expect(await buffer((await again.read(key))!)).toEqual(bytes);
  expect(await again.read(other)).toBeUndefined();
});

// The program limits itself with prlimit, which only Linux has.
(process.platform === "linux" ? test : test.skip)("a full disk makes writes fail, and nothing of them remains", async () => {
  const child = spawn(process.execPath, [program("blobs-full-disk-process.ts"), folder], { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(code).toBe(0);
  expect(JSON.parse(output)).toEqual({
    before: { outcomes: ["stored"], holds: 1 },
    full: { outcomes: ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"], holds: 1 },
    after: { outcomes: ["stored", "stored"], holds: 2 },
    warnings: 3,
  });
});

test("a folder that can't be created or written makes the start fail with one line", async () => {
  await writeFile(join(folder, "file"), "");
  const error = await openBlobs(["disk", join(folder, "file"), ""]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StartError);
  expect((error as StartError).message).toMatch(/^The folder [^\n]*file can't be written[^\n]*$/);
});

test("a folder that disappears makes reads and writes fail, not the process, and the log says why", async () => {
  const { log, warnings } = recordWarnings();
  const blobs = await openBlobs(place, log);
  await rm(place[1], { recursive: true });
  const error = await blobs.write(newId(), oneChunk(randomBytes(10))).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ type: "UNAVAILABLE" });
  expect((error as Error).message).not.toContain(folder);
  expect(warnings).toEqual([expect.stringMatching(/^Media storage fails to write: ENOENT/)]);
  expect(await blobs.health()).toEqual({ ok: false, detail: "the folder can't be written" });
  await expect(blobs.read(newId())).rejects.toMatchObject({ type: "UNAVAILABLE" });
});

test("a blob that can't be read is unavailable, not missing", async () => {
  const { log, warnings } = recordWarnings();
  const blobs = await openBlobs(place, log);
  const [closed, broken] = [newId(), newId()];
  await mkdir(join(place[1], broken));
  await expect(blobs.read(broken).then((stream) => buffer(stream!))).rejects.toMatchObject({ type: "UNAVAILABLE" });
  expect(warnings).toHaveLength(1);
  await blobs.write(closed, oneChunk(randomBytes(10)));
  await chmod(join(place[1], closed), 0o000);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) await expect(blobs.read(closed)).rejects.toMatchObject({ type: "UNAVAILABLE" });
});

test("only their owner can read or write the files and the folder", async () => {
  const blobs = await openBlobs(place);
  const key = newId();
  await blobs.write(key, oneChunk(randomBytes(10)));
  expect((await stat(join(place[1], key))).mode & 0o777).toBe(0o600);
  expect((await stat(place[1])).mode & 0o777).toBe(0o700);
});
