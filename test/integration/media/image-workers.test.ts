/** Tests the processes that decode images: a crash fails one image and no other. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import sharp from "sharp";
import { openImageWorkers, type ImageWorkers } from "../../../services/media/images/image-workers.ts";
import { eventually } from "../../support/eventually.ts";
import { gpsPhoto, pngBomb } from "../../support/files/images.ts";

let darkroom: ImageWorkers;
let photo: Buffer;
beforeAll(async () => {
  darkroom = openImageWorkers();
  photo = await gpsPhoto(400, 200);
});
afterAll(() => darkroom.close());

const develop = (bytes: Buffer) => darkroom.renderImage("Ada", "attached", "image/jpeg", () => Promise.resolve(bytes));
/** The processes that decode for this one. */
function workers(): number[] {
  const all = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" })
    .trim()
    .split("\n");
  return all.filter((line) => line.includes("image-process")).map((line) => parseInt(line));
}

test("images are rendered, at most two at a time, and refusals have a reason", async () => {
  const many = await Promise.all(Array.from({ length: 8 }, () => develop(photo)));
  for (const { content, width, height } of many) {
    expect([width, height]).toEqual([200, 400]);
    expect(await sharp(content).metadata()).toMatchObject({ format: "jpeg", width: 200, height: 400 });
  }
  expect(workers().length).toBeLessThanOrEqual(2);
  await expect(develop(photo.subarray(0, 500))).rejects.toMatchObject({ type: "VALIDATION" });
  const bomb = darkroom.renderImage("Ada", "square", "image/png", () => Promise.resolve(pngBomb(50_000, 50_000)));
  await expect(bomb).rejects.toMatchObject({ type: "VALIDATION", message: expect.stringMatching(/50000 × 50000/) });
});

test("bytes that cannot be fetched fail with that error, and use no worker", async () => {
  const failing = () => darkroom.renderImage("Ada", "attached", "image/jpeg", () => Promise.reject(new Error("gone")));
  for (let time = 0; time < 5; time++) await expect(failing()).rejects.toThrow("gone");
  expect((await develop(photo)).width).toBe(200);
});

test("a crash fails the image in progress, and the next one is rendered", async () => {
  const other = openImageWorkers();
  const large = await sharp({ create: { width: 5000, height: 4000, channels: 3, background: "teal" } })
    .jpeg()
    .toBuffer();
  const doom = async () => {
    const before = new Set(workers());
    const doomed = other.renderImage("Ada", "attached", "image/jpeg", () => Promise.resolve(large)).catch((error: unknown) => error);
    const [pid] = await eventually("it is under way", () => {
      const begun = workers().filter((one) => !before.has(one));
      return begun.length > 0 && begun;
    });
    process.kill(pid!, "SIGSEGV");
    return doomed;
  };
  let outcome = await doom();
  // Had this process been held up, the image would have been made before the crash.
  for (let time = 1; time < 10 && !(outcome instanceof Error); time++) outcome = await doom();
  expect(outcome).toMatchObject({ type: "VALIDATION", message: "The image can't be read" });
  expect((await other.renderImage("Ada", "attached", "image/jpeg", () => Promise.resolve(photo))).width).toBe(200);
  other.close();
});

test("a process that died while it was idle is replaced", async () => {
  await develop(photo);
  for (const pid of workers()) process.kill(pid, "SIGSEGV");
  const again = await Promise.all([develop(photo), develop(photo), develop(photo)]);
  expect(again.map(({ width }) => width)).toEqual([200, 200, 200]);
});

test("closing ends the images in progress and all processes", async () => {
  const other = openImageWorkers();
  const before = new Set(workers());
  const underWay = other.renderImage("Ada", "attached", "image/jpeg", () => Promise.resolve(photo)).catch((error: unknown) => error);
  await eventually("it has a process", () => workers().some((pid) => !before.has(pid)));
  other.close();
  await underWay;
  await eventually("it is gone", () => workers().every((pid) => before.has(pid)));
});
