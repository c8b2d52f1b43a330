/** Files in chats: who may send and fetch them, what is taken in, and how it is given out. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import sharp from "sharp";
import type { Message } from "../../../services/chat/contract.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";
import { download, file, formBytes, formType, sendFile, sendForm, text } from "../../support/files/uploads.ts";
import { eventually } from "../../support/eventually.ts";
import { gpsPhoto, pngBomb } from "../../support/files/images.ts";

const nobody = "0123456789abcdef01234567";
const mostBytes = 5 * 1024 * 1024;

story("Files", (world) => {
  test("sending and fetching need a session, and membership", async () => {
    const { a, b, chatId } = await world.pair();
    const stranger = await world.person();
    const [url] = world.gateways();
    expect(
      await requestJson(url, "POST", "/chat/send-file", { body: formBytes([file("x")]).toString(), headers: { "content-type": formType } }),
    ).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
    expect((await requestJson(url, "GET", `/chat/files/${nobody}`)).status).toBe(401);
    expect(await sendFile(stranger, chatId, file("x"))).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect(await sendFile(stranger, nobody, file("x"))).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });

    const sent = await sendFile(a, chatId, file("for us two"));
    expect(sent.status).toBe(201);
    const { url: path } = sent.body.file;
    expect((await download(b, path)).bytes.toString()).toBe("for us two");
    const refused = await download(stranger, path);
    expect({ status: refused.status, code: JSON.parse(refused.bytes.toString()).code }).toEqual({ status: 404, code: "NOT_FOUND" });
    expect((await download(a, `/chat/files/${nobody}`)).status).toBe(404);
    expect((await download(a, "/chat/files/xyz")).status).toBe(400);
  });

  test("a file arrives as a message, with its bytes, name and type, and all members hear of it", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await b.connectAndSubscribe();
    const bytes = randomBytes(300_000);
    const sent = await sendFile(
      a,
      chatId,
      file(bytes, "données (1).bin", "text/html"),
      text("text", " see this "),
      text("clientId", "mine"),
    );
    expect(sent).toMatchObject({
      status: 201,
      body: {
        kind: "file",
        text: "see this",
        clientId: "mine",
        file: { name: "données (1).bin", mimeType: "application/octet-stream", size: bytes.length },
      },
    });
    expect((await line.waitFor("receiveMessage", ({ kind }) => kind === "file")).file).toEqual(sent.body.file);
    expect((await b.get(`/chat/messages/${chatId}`)).body.at(-1).file).toEqual(sent.body.file);
    const got = await download(b, sent.body.file.url);
    expect(got.bytes.equals(bytes)).toBe(true);
    expect(got.headers.get("content-disposition")).toBe(
      `attachment; filename="donn_es (1).bin"; filename*=UTF-8''donn%C3%A9es%20%281%29.bin`,
    );
  });

  test("fields may come in any order, before and after the file", async () => {
    const { a, chatId } = await world.pair();
    const sent = await sendForm(a, "POST", "/chat/send-file", [
      text("text", "first"),
      file("bytes"),
      text("clientId", "c"),
      text("chatId", chatId),
    ]);
    expect(sent).toMatchObject({ status: 201, body: { text: "first", clientId: "c", file: { size: 5 } } });
  });

  test("a repeat of a clientId with the same bytes is the same message, with others a conflict", async () => {
    const { a, b, chatId } = await world.pair();
    const send = (bytes: string, chat = chatId) => sendFile(a, chat, file(bytes), text("clientId", "once"));
    const first = await send("the same");
    const again = await send("the same");
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    expect(await send("another")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    const at = await Promise.all([1, 2, 3].map(() => sendFile(a, chatId, file("racing"), text("clientId", "race"))));
    expect(new Set(at.map(({ body }) => body._id)).size).toBe(1);
    expect(at.filter(({ status }) => status === 201)).toHaveLength(1);
    expect((await download(b, at[0]!.body.file.url)).bytes.toString()).toBe("racing");
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(2);
  });

  test.each([
    ["no file", (chatId: string) => [text("chatId", chatId)], 400],
    ["no chat", () => [file("x")], 400],
    ["no bytes", (chatId: string) => [text("chatId", chatId), file("")], 400],
    ["ten files", (chatId: string) => [text("chatId", chatId), ...Array.from({ length: 10 }, () => file("x"))], 400],
    ["a file under another name", (chatId: string) => [text("chatId", chatId), file("x", "a.bin", "text/plain", "upload")], 400],
    ["a text in the file's place", (chatId: string) => [text("chatId", chatId), text("file", "x")], 400],
    ["an unknown field", (chatId: string) => [text("chatId", chatId), text("senderId", nobody), file("x")], 400],
    ["a field twice", (chatId: string) => [text("chatId", chatId), text("chatId", chatId), file("x")], 400],
    ["a field of a prototype", (chatId: string) => [text("chatId", chatId), text("__proto__", "x"), file("x")], 400],
    ["an endless field", (chatId: string) => [text("chatId", chatId), text("text", "x".repeat(60_000)), file("x")], 400],
    [
      "a field that is no text",
      (chatId: string) => [text("chatId", chatId), { field: "text", value: Buffer.from([0xff, 0xfe]) }, file("x")],
      400,
    ],
    ["a hundred fields", () => [...Array.from({ length: 100 }, (_, n) => text(`field${n}`, "x")), file("x")], 400],
    ["a chat that is none", () => [text("chatId", "us"), file("x")], 400],
    ["a file of a byte too many", (chatId: string) => [text("chatId", chatId), file(Buffer.alloc(mostBytes + 1))], 413],
    ["a file far too large", (chatId: string) => [file(Buffer.alloc(3 * mostBytes)), text("chatId", chatId)], 413],
  ])("%s is refused and changes nothing", async (_what, parts, status) => {
    const { a, b, chatId } = await world.pair();
    const answer = await sendForm(a, "POST", "/chat/send-file", parts(chatId));
    expect(answer).toMatchObject({ status, body: { message: expect.any(String), requestId: expect.any(String) } });
    expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([]);
  });

  test("a file of just 5 MB is taken, one that doesn't say its size is counted", async () => {
    const { a, chatId } = await world.pair();
    const whole = Buffer.alloc(mostBytes, 7);
    expect(await sendFile(a, chatId, file(whole))).toMatchObject({ status: 201, body: { file: { size: mostBytes } } });
    expect((await chunked(a, formBytes([file(Buffer.alloc(mostBytes + 1)), text("chatId", chatId)]))).status).toBe(413);
    expect((await chunked(a, formBytes([file(whole), text("chatId", chatId)]))).status).toBe(201);
  });

  test("a form without an end is refused once it is too long", async () => {
    const { a } = await world.pair();
    const begun = formBytes([file(Buffer.alloc(1000))]).subarray(0, 500);
    const more = Buffer.alloc(65_536);
    const began = performance.now();
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(sent === 0 ? begun : more);
        sent += more.length;
        if (performance.now() - began > 60_000) controller.close();
      },
    });
    expect((await streamed(a, body)).status).toBe(413);
    // With the answer the connection ends.
    await eventually("nothing more is taken", async () => {
      const before = sent;
      await sleep(300);
      return sent === before;
    });
  });

  test("what is no form, or a broken one, is refused", async () => {
    const { a, chatId } = await world.pair();
    const send = (body: string, type: string) => a.request("POST", "/chat/send-file", { body, headers: { "content-type": type } });
    expect(await send(JSON.stringify({ chatId }), "application/json")).toMatchObject({ status: 415, body: { code: "UNSUPPORTED_TYPE" } });
    expect((await send("x", "text/plain")).status).toBe(415);
    const whole = formBytes([text("chatId", chatId), file("x")]).toString();
    for (const [body, type] of [
      [whole, "multipart/form-data"],
      [whole, "multipart/form-data; boundary=another"],
      [whole.slice(0, -10), formType],
      ["", formType],
      ["nonsense", formType],
      [whole.replaceAll("form-data; name", "attachment; name"), formType],
    ] as const) {
      expect(await send(body, type)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
  });

  test("of several faults the earlier in the order is told: 404, 413, 401, 403, 400, 403", async () => {
    const { a, chatId } = await world.pair();
    const huge = formBytes([file(Buffer.alloc(6_000_000)), text("chatId", chatId)]).toString("latin1");
    const small = formBytes([text("chatId", "x")]).toString();
    const headers = { "content-type": formType, origin: "https://evil.example" };
    const anyone = (path: string, body: string) => requestJson(a.url, "POST", path, { body, headers });
    expect((await anyone("/chat/send-files", huge)).status).toBe(404);
    expect((await anyone("/chat/send-file", huge)).status).toBe(413);
    expect((await anyone("/chat/send-file", small)).status).toBe(401);
    expect((await a.request("POST", "/chat/send-file", { body: huge, headers })).status).toBe(413);
    expect((await a.request("POST", "/chat/send-file", { body: small, headers })).status).toBe(403);
    expect((await a.request("POST", "/chat/send-file", { body: small, headers: { "content-type": formType } })).status).toBe(400);
    expect((await sendFile(await world.person(), chatId, file("x"))).status).toBe(403);
  });

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
  ])("the name %j becomes %j", async (sent, kept) => {
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
  ])("%s is what its bytes say, and is never shown in a page", async (_what, bytes, name, declared, type) => {
    const { a, chatId } = await world.pair();
    const sent = await sendFile(a, chatId, file(bytes, name, declared));
    expect(sent).toMatchObject({ status: 201, body: { file: { mimeType: type, size: Buffer.byteLength(bytes) } } });
    const { headers } = await download(a, sent.body.file.url);
    expect(headers.get("content-type")!.split(";")[0]).toBe(type);
    expect(headers.get("content-disposition")).toMatch(/^attachment;/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
  });

  test("a photo is turned upright and tells nobody where it was taken", async () => {
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
      // The photo's left edge was red: turned by a quarter it is on top.
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

  test.each(["jpeg", "png", "webp", "gif"] as const)("a %s stays one", async (format) => {
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

  test("an AVIF becomes a WebP, and a name to match", async () => {
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

  test("an image that can't be read, and one that would fill the memory, are refused", async () => {
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

  test("a part of a file is given, and a whole one only once", async () => {
    const { a, chatId } = await world.pair();
    const { url: path } = (await sendFile(a, chatId, file("0123456789"))).body.file;
    const whole = await download(a, path);
    const etag = whole.headers.get("etag")!;
    expect(whole.headers.get("accept-ranges")).toBe("bytes");
    expect(whole.headers.get("cache-control")).toBe("private, no-cache");
    for (const [range, content, bytes] of [
      ["bytes=2-4", "bytes 2-4/10", "234"],
      ["bytes=7-", "bytes 7-9/10", "789"],
      ["bytes=-2", "bytes 8-9/10", "89"],
      ["bytes=5-99", "bytes 5-9/10", "56789"],
      ["bytes=-99", "bytes 0-9/10", "0123456789"],
    ] as const) {
      const part = await download(a, path, { range, "if-range": etag });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(content);
      expect(part.headers.get("content-length")).toBe(String(bytes.length));
      expect(part.bytes.toString()).toBe(bytes);
    }
    for (const range of ["bytes=10-", "bytes=-0", "bytes=99-100"]) {
      const beyond = await download(a, path, { range });
      expect({ status: beyond.status, range: beyond.headers.get("content-range") }).toEqual({ status: 416, range: "bytes */10" });
    }
    for (const headers of [
      { range: "bytes=0-1,4-5" },
      { range: "chapters=1-2" },
      { range: "bytes=4-2" },
      { range: "bytes=0-1", "if-range": '"old"' },
    ]) {
      expect(await download(a, path, headers)).toMatchObject({ status: 200, bytes: Buffer.from("0123456789") });
    }
    expect(await download(a, path, { "if-none-match": `"x", ${etag}` })).toMatchObject({ status: 304, bytes: Buffer.alloc(0) });
    const head = await download(a, path, {}, "HEAD");
    expect({ status: head.status, length: head.headers.get("content-length"), bytes: head.bytes.length }).toEqual({
      status: 200,
      length: "10",
      bytes: 0,
    });
    expect((await download(a, `${path}?thumb=1`)).status).toBe(404);
    expect((await download(a, `${path}?thumb=2`)).status).toBe(400);
  });

  test("who was removed can't fetch any more, not even what their browser holds", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, second, third] = members as [Person, Person, Person];
    const { url: path } = (await sendFile(founder, chatId, file("ours"))).body.file;
    const held = await download(third, path);
    expect(held.bytes.toString()).toBe("ours");
    expect((await founder.put("/chat/remove-from-group", { chatId, userIdToRemove: third.id })).status).toBe(200);
    expect((await download(third, path, { "if-none-match": held.headers.get("etag")! })).status).toBe(404);
    expect(await sendFile(third, chatId, file("mine"))).toMatchObject({ status: 403 });
    expect((await download(second, path)).status).toBe(200);
  });

  test("the file of a deleted message is gone", async () => {
    const { a, b, chatId } = await world.pair();
    const { _id, file: sent } = (await sendFile(a, chatId, file("regretted"))).body;
    expect((await b.delete(`/chat/messages/${_id}`)).status).toBe(403);
    expect((await a.delete(`/chat/messages/${_id}`)).status).toBe(200);
    for (const one of [a, b]) expect((await download(one, sent.url)).status).toBe(404);
  });

  test("a client that goes away in the middle leaves the server as it was", async () => {
    const { a, chatId } = await world.pair();
    const whole = formBytes([text("chatId", chatId), file(Buffer.alloc(2_000_000))]);
    await Promise.all(Array.from({ length: 30 }, () => breakOff(a, whole.subarray(0, 1_000_000))));
    // A place for each upload that broke off is free again.
    const path: string = await eventually(
      "all may be sent again",
      async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => sendFile(a, chatId, file(Buffer.alloc(500_000, 1)))));
        return answers.every(({ status }) => status === 201) && answers[0]!.body.file.url;
      },
      60_000,
    );
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const leaving = new AbortController();
        const answer = await fetch(a.url + path, { headers: { authorization: `Bearer ${a.token}` }, signal: leaving.signal });
        await answer.body!.getReader().read();
        leaving.abort();
      }),
    );
    expect((await a.get(`/chat/messages/${chatId}?limit=200`)).body.filter(({ file }: Message) => file!.size === 2_000_000)).toEqual([]);
  });
});

/** Sends a body without saying its length. */
async function chunked(person: Person, bytes: Buffer): Promise<{ status: number }> {
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536));
      controller.close();
    },
  });
  return streamed(person, body);
}

async function streamed(person: Person, body: ReadableStream): Promise<{ status: number }> {
  const answer = await fetch(`${person.url}/chat/send-file`, {
    method: "POST",
    headers: { authorization: `Bearer ${person.token}`, "content-type": formType },
    body,
    duplex: "half",
  });
  await answer.arrayBuffer();
  return { status: answer.status };
}

/** Begins a request, and goes away. */
async function breakOff(person: Person, bytes: Buffer): Promise<void> {
  const { request } = await import("node:http");
  const sending = request(`${person.url}/chat/send-file`, {
    method: "POST",
    headers: { authorization: `Bearer ${person.token}`, "content-type": formType, "content-length": bytes.length * 2 },
  });
  const gone = new Promise((resolve) => sending.once("close", resolve));
  sending.on("error", () => undefined);
  sending.write(bytes, () => sending.destroy());
  await gone;
}
