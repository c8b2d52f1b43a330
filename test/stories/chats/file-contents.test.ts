/** What the server makes of a file: its name, its type, and images without metadata. */
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import sharp from "sharp";
import { gpsPhoto, pngBomb } from "../../support/files/images.ts";
import { download, file, sendFile } from "../../support/files/uploads.ts";
import { story } from "../../support/systems/story.ts";

story("Contents of files", (world) => {
  test.each([
    ["../../etc/passwd", "passwd"],
    ["C:\\Users\\me\\photo.png", "photo.png"],
    ["a%22b'c;d.txt", "a\"b'c;d.txt"],
    ["tab\tand\u0007bell.txt", "tabandbell.txt"],
    ["gpj.\u202eexe", "gpj.exe"],
    ["..", "file"],
    ["", "file"],
    [" \u200f ", "file"],
    ["猫 🐈.png", "猫 🐈.png"],
    [`${"x".repeat(300)}.tar`, `${"x".repeat(196)}.tar`],
  ])("the file name %j becomes %j", async (sent, kept) => {
    const { a, chatId } = await world.pair();
    const answer = await sendFile(a, chatId, file("plain", sent));
    expect(answer).toMatchObject({ status: 201, body: { file: { name: kept } } });
    const disposition = (await download(a, answer.body.file.url)).headers.get("content-disposition")!;
    expect(disposition).toMatch(/^attachment; filename="[^"\\]*"; filename\*=UTF-8''[\w!#$&+\-.^`|~%]+$/);
    expect(decodeURIComponent(disposition.split("''")[1]!)).toBe(kept);
  });

  test.each([
    ["HTML named as an image", "<!DOCTYPE html><script>alert(1)</script>", "cat.png", "image/png", "application/octet-stream"],
    [
      "SVG named as text",
      `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
      "cat.txt",
      "text/plain",
      "application/octet-stream",
    ],
    ["XML", `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "a.svg", "image/svg+xml", "application/octet-stream"],
    ["text", "Just a note: ein schöner Tag\n", "note", "application/x-sh", "text/plain"],
    ["a PDF", "%PDF-1.7\nwhatever", "a.html", "text/html", "application/pdf"],
  ])("%s gets the type of its bytes, and is always an attachment", async (_what, bytes, name, declared, type) => {
    const { a, chatId } = await world.pair();
    const sent = await sendFile(a, chatId, file(bytes, name, declared));
    expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: type, size: Buffer.byteLength(bytes) } } });
    const { headers } = await download(a, sent.body.file.url);
    expect(headers.get("content-type")!.split(";")[0]).toBe(type);
    expect(headers.get("content-disposition")).toMatch(/^attachment;/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
  });

  test("a photo is rotated upright and loses its location", async () => {
    const { a, b, chatId } = await world.pair();
    const photo = await gpsPhoto(400, 200);
    expect((await sharp(photo).metadata()).exif!.includes("secret place")).toBe(true);
    const sent = await sendFile(a, chatId, file(photo, "photo.jpg", "image/jpeg"));
    expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: "image/jpeg", width: 200, height: 400, name: "photo.jpg" } } });
    for (const path of [sent.body.file.url, sent.body.file.thumbUrl] as string[]) {
      const { bytes, headers } = await download(b, path);
      expect(headers.get("content-disposition")).toMatch(/^inline;/);
      const { exif, icc, xmp, orientation, width, height } = await sharp(bytes).metadata();
      expect({ exif, icc, xmp, orientation }).toEqual({});
      expect(height).toBe(width * 2);
      expect(bytes.includes("secret place")).toBe(false);
      // The photo's left edge is red, so it is on top after the rotation.
      const [red, , blue] = await sharp(bytes)
        .extract({ left: 20, top: 2, width: 10, height: 10 })
        .resize(1, 1)
        .removeAlpha()
        .raw()
        .toBuffer();
      expect(red).toBeGreaterThan(blue! + 100);
    }
    expect((await download(b, sent.body.file.url)).bytes.length).toBe(sent.body.file.size);
    expect(await sharp((await download(b, sent.body.file.thumbUrl)).bytes).metadata()).toMatchObject({ height: 320, format: "webp" });
  });

  test.each(["jpeg", "png", "webp", "gif"] as const)("a %s keeps its format", async (format) => {
    const { a, chatId } = await world.pair();
    const bytes = await sharp({ create: { width: 30, height: 20, channels: 4, background: "teal" } })
      .toFormat(format)
      .toBuffer();
    const sent = await sendFile(a, chatId, file(bytes, "tiny", "application/pdf"));
    expect(sent).toMatchObject({
      status: 201,
      body: { file: { mimeType: `image/${format}`, width: 30, height: 20, thumbUrl: expect.any(String) } },
    });
    expect(await sharp((await download(a, sent.body.file.url)).bytes).metadata()).toMatchObject({ format, width: 30, height: 20 });
  });

  test("an AVIF becomes a WebP, with a name to match", async () => {
    const { a, chatId } = await world.pair();
    const bytes = await sharp({ create: { width: 30, height: 20, channels: 3, background: "teal" } })
      .avif({ effort: 0 })
      .toBuffer();
    const sent = await sendFile(a, chatId, file(bytes, "sea.avif", "image/avif"));
    expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: "image/webp", name: "sea.webp", width: 30, height: 20 } } });
  });

  test("an animation keeps its frames", async () => {
    const { a, chatId } = await world.pair();
    const frame = (background: string) =>
      sharp({ create: { width: 40, height: 30, channels: 3, background } })
        .png()
        .toBuffer();
    const frames = await Promise.all(["red", "green", "blue"].map(frame));
    for (const format of ["gif", "webp"] as const) {
      const bytes = await sharp(frames, { join: { animated: true } })
        .toFormat(format, { loop: 0, delay: 100 })
        .toBuffer();
      const sent = await sendFile(a, chatId, file(bytes, `moving.${format}`));
      expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: `image/${format}`, width: 40, height: 30 } } });
      const kept = (await download(a, sent.body.file.url)).bytes;
      expect(await sharp(kept, { animated: true }).metadata()).toMatchObject({ format, pages: 3, pageHeight: 30 });
    }
  });

  test.each([3, 6])(
    "an animation that must be turned upright (EXIF orientation %i) becomes an upright still image",
    async (orientation) => {
      const { a, chatId } = await world.pair();
      const frames = await Promise.all(
        ["red", "blue"].map((background) =>
          sharp({ create: { width: 40, height: 30, channels: 3, background } })
            .png()
            .toBuffer(),
        ),
      );
      const bytes = await sharp(frames, { join: { animated: true } })
        .withMetadata({ orientation })
        .webp()
        .toBuffer();
      const sent = await sendFile(a, chatId, file(bytes, "turned.webp"));
      const size = orientation === 6 ? { width: 30, height: 40 } : { width: 40, height: 30 };
      expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: "image/webp", ...size } } });
      const kept = sharp((await download(a, sent.body.file.url)).bytes);
      expect((await kept.metadata()).pages ?? 1).toBe(1);
      const [red, , blue] = await kept.raw().toBuffer();
      expect({ isRed: red! > 200, isBlue: blue! > 200 }).toEqual({ isRed: true, isBlue: false });
    },
  );

  test("an unreadable image, and one too large for memory, are refused", async () => {
    const { a, b, chatId } = await world.pair();
    const bomb = pngBomb(50_000, 50_000);
    expect(bomb.length).toBeLessThan(10_000);
    expect(await sendFile(a, chatId, file(bomb, "bomb.png"))).toMatchObject({
      status: 400,
      body: { code: "VALIDATION", message: expect.stringMatching(/50000 × 50000/) },
    });
    const good = await sharp({
      create: { width: 300, height: 300, channels: 3, background: "teal", noise: { type: "gaussian", mean: 100, sigma: 50 } },
    })
      .png()
      .toBuffer();
    for (const bytes of [good.subarray(0, good.length / 2), Buffer.concat([good.subarray(0, 33), randomBytes(1000)])]) {
      expect(await sendFile(a, chatId, file(bytes, "half.png"))).toMatchObject({
        status: 400,
        body: { message: "The image can't be read" },
      });
    }
    expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([]);
  });
});
