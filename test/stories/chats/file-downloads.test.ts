/** Downloading files of chats: who may, ranges and caching, and when a file is no longer available. */
import { expect, test } from "@jest/globals";
import { download, file, sendFile } from "../../support/files/uploads.ts";
import { nobody } from "../../support/people/legacy-client.ts";
import type { Person } from "../../support/people/person.ts";
import { testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

story("Downloads of files", (world) => {
  testNeedsSession(world, [["GET", `/chat/files/${nobody}`]]);

  test("only members of the chat can download its files", async () => {
    const { a, b, chatId } = await world.pair();
    const stranger = await world.person();
    const sent = await sendFile(a, chatId, file("for us two"));
    expect(sent.status).toBe(201);
    const { url: path } = sent.body.file;
    expect((await download(b, path)).bytes.toString()).toBe("for us two");
    const refused = await download(stranger, path);
    expect({ status: refused.status, code: JSON.parse(refused.bytes.toString()).code }).toEqual({ status: 404, code: "NOT_FOUND" });
    expect((await download(a, `/chat/files/${nobody}`)).status).toBe(404);
    expect((await download(a, "/chat/files/xyz")).status).toBe(400);
  });

  test("a download supports ranges, conditional requests and HEAD", async () => {
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

  test("a removed member can no longer download, not even revalidate a cached copy", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, second, third] = members as [Person, Person, Person];
    const { url: path } = (await sendFile(founder, chatId, file("ours"))).body.file;
    const cached = await download(third, path);
    expect(cached.bytes.toString()).toBe("ours");
    expect((await founder.put("/chat/remove-from-group", { chatId, userIdToRemove: third.id })).status).toBe(200);
    expect((await download(third, path, { "if-none-match": cached.headers.get("etag")! })).status).toBe(404);
    expect(await sendFile(third, chatId, file("mine"))).toMatchObject({ status: 403 });
    expect((await download(second, path)).status).toBe(200);
  });

  test("a deleted message's file can no longer be downloaded", async () => {
    const { a, b, chatId } = await world.pair();
    const { _id, file: sent } = (await sendFile(a, chatId, file("regretted"))).body;
    expect((await b.delete(`/chat/messages/${_id}`)).status).toBe(403);
    expect((await a.delete(`/chat/messages/${_id}`)).status).toBe(200);
    for (const one of [a, b]) expect((await download(one, sent.url)).status).toBe(404);
  });
});
