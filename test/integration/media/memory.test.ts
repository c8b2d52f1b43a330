/** Files pass through every process in pieces: many at once, up and down, do not let one grow. Images are decoded, but few at a time. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { factory, type Factory } from "../../support/people/factory.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { memoryGrowth } from "../../support/memory.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";
import { startEmbedded, type EmbeddedServer } from "../../support/servers/server.ts";
import { download, file, sendFile, sendForm } from "../../support/files/uploads.ts";

const filesAtOnce = 20;
const mostGrowthMb = { files: 64, images: 256 };

describe("embedded", () => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await startEmbedded();
  });
  afterAll(() => server.stop());
  tests(20, () => ({ made: factory(() => [server.url]), pids: { server: server.pid } }));
});

describeMesh("in a mesh", () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startMesh();
  });
  afterAll(() => mesh.stop());
  // Images take most of the time, and the same processes decode them.
  tests(8, () => ({
    made: factory(() => mesh.gateways),
    pids: Object.fromEntries([...mesh.nodes].map(([role, { pid }]) => [role, pid])),
  }));
});

function tests(imagesAtOnce: number, running: () => { made: Factory; pids: Record<string, number> }): void {
  test(`${filesAtOnce} files of 5 MB up and down at once`, async () => {
    const { made, pids } = running();
    const { a, b, chatId } = await made.pair();
    const bytes = randomBytes(5 * 1024 * 1024);
    const round = async () => {
      const sent = await Promise.all(Array.from({ length: filesAtOnce }, () => sendFile(a, chatId, file(bytes))));
      expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 201));
      const fetched = await Promise.all(sent.map(({ body }) => download(b, body.file.url)));
      expect(fetched.every((one) => one.bytes.equals(bytes))).toBe(true);
    };
    await round();
    expectGrowth("files", await memoryGrowth(pids, round));
  }, 300_000);

  test(`${imagesAtOnce} large photos at once, in messages and as pictures`, async () => {
    const { made, pids } = running();
    const { a, chatId } = await made.pair();
    const photos = await Promise.all([photo("jpeg"), photo("webp"), photo("png")]);
    const dataUri = `data:image/jpeg;base64,${photos[0].toString("base64")}`;
    const round = async () => {
      const sent = await Promise.all(
        Array.from({ length: imagesAtOnce }, (_, n) =>
          n % 4 === 3 ? a.put("/profile/patchProfile", { profilePic: dataUri }) : sendFile(a, chatId, file(photos[n % 4]!, "photo")),
        ),
      );
      // Some may have to come again: no more wait than can be served in time.
      expect(sent.filter(({ status }) => status !== 201 && status !== 200 && status !== 503)).toEqual([]);
    };
    await round();
    expectGrowth("images", await memoryGrowth(pids, round));
    expect(await sendForm(a, "PUT", "/profile/patchProfile", [file(photos[0], "me.jpg", "image/jpeg")])).toMatchObject({ status: 200 });
  }, 300_000);
}

function expectGrowth(what: keyof typeof mostGrowthMb, grown: Record<string, number>): void {
  process.stderr.write(`growth in MB, ${what}: ${JSON.stringify(grown)}\n`);
  expect(Object.entries(grown).filter(([, megabytes]) => megabytes > mostGrowthMb[what])).toEqual([]);
}

/** 12 megapixels lying on their side, 2-5 MB. */
async function photo(format: "jpeg" | "webp" | "png"): Promise<Buffer> {
  const [width, height] = [4000, 3000];
  const noise = await sharp({
    create: { width: width / 8, height: height / 8, channels: 3, background: "teal", noise: { type: "gaussian", mean: 128, sigma: 60 } },
  })
    .png()
    .toBuffer();
  return sharp(noise)
    .resize(width, height, { kernel: format === "png" ? "nearest" : "cubic" })
    .withMetadata({ orientation: 6 })
    .toFormat(format)
    .toBuffer();
}
