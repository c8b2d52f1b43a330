/** Sending files to chats: who may, which forms are accepted, and how large a file may be. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { download, file, formBytes, formType, sendFile, sendForm, text } from "../../support/files/uploads.ts";
import { by, byForm, id, known, nobody, text as anyText } from "../../support/people/legacy-client.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const mostBytes = 5 * 1024 * 1024;

story("Uploads of files", (world) => {
  testNeedsSession(world, [["POST", "/chat/send-file"]]);

  test("a user without a session, or who is not a member, cannot send a file", async () => {
    const { chatId } = await world.pair();
    const stranger = await world.person();
    const [url] = world.gateways();
    const form = { body: formBytes([file("x")]).toString(), headers: { "content-type": formType } };
    expect(await requestJson(url, "POST", "/chat/send-file", form)).toMatchObject(refusal(401, "UNAUTHENTICATED"));
    for (const id of [chatId, nobody]) expect(await sendFile(stranger, id, file("x"))).toMatchObject(refusal(403, "FORBIDDEN"));
  });

  test("a file becomes a message with its bytes, name and type, and members receive it", async () => {
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
    expect(Object.keys(sent.body.file).sort()).toEqual(["_id", "mimeType", "name", "size", "url"]);
    expect((await line.waitFor("receiveMessage", ({ kind }) => kind === "file")).file).toEqual(sent.body.file);
    expect((await b.get(`/chat/messages/${chatId}`)).body.at(-1).file).toEqual(sent.body.file);
    const got = await download(b, sent.body.file.url);
    expect(got.bytes.equals(bytes)).toBe(true);
    expect(got.headers.get("content-disposition")).toBe(
      `attachment; filename="donn_es (1).bin"; filename*=UTF-8''donn%C3%A9es%20%281%29.bin`,
    );
  });

  test("the fields of the form may come in any order, before and after the file", async () => {
    const { a, chatId } = await world.pair();
    const sent = await sendForm(a, "POST", "/chat/send-file", [
      text("text", "first"),
      file("bytes"),
      text("clientId", "c"),
      text("chatId", chatId),
    ]);
    expect(sent).toMatchObject({ status: 201, body: { text: "first", clientId: "c", file: { size: 5 } } });
  });

  test("a repeated upload with the same clientId and bytes is one message, with other bytes a conflict", async () => {
    const { a, b, chatId } = await world.pair();
    const send = (bytes: string, chat = chatId) => sendFile(a, chat, file(bytes), text("clientId", "once"));
    const first = await send("the same");
    const again = await send("the same");
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    expect(await send("another")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    const racing = await Promise.all([1, 2, 3].map(() => sendFile(a, chatId, file("racing"), text("clientId", "race"))));
    expect(new Set(racing.map(({ body }) => body._id)).size).toBe(1);
    expect(racing.filter(({ status }) => status === 201)).toHaveLength(1);
    expect((await download(b, racing[0]!.body.file.url)).bytes.toString()).toBe("racing");
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(2);
  });

  test.each([
    ["no file", (chatId: string) => [text("chatId", chatId)], 400],
    ["no chat", () => [file("x")], 400],
    ["no bytes", (chatId: string) => [text("chatId", chatId), file("")], 400],
    ["ten files", (chatId: string) => [text("chatId", chatId), ...Array.from({ length: 10 }, () => file("x"))], 400],
    ["a file under another name", (chatId: string) => [text("chatId", chatId), file("x", "a.bin", "text/plain", "upload")], 400],
    ["a text in place of the file", (chatId: string) => [text("chatId", chatId), text("file", "x")], 400],
    ["an unknown field", (chatId: string) => [text("chatId", chatId), text("senderId", nobody), file("x")], 400],
    ["a field twice", (chatId: string) => [text("chatId", chatId), text("chatId", chatId), file("x")], 400],
    ["a field named __proto__", (chatId: string) => [text("chatId", chatId), text("__proto__", "x"), file("x")], 400],
    ["a field that is too long", (chatId: string) => [text("chatId", chatId), text("text", "x".repeat(60_000)), file("x")], 400],
    [
      "a field that is not UTF-8",
      (chatId: string) => [text("chatId", chatId), { field: "text", value: Buffer.from([0xff, 0xfe]) }, file("x")],
      400,
    ],
    ["a hundred fields", () => [...Array.from({ length: 100 }, (_, n) => text(`field${n}`, "x")), file("x")], 400],
    ["a malformed chat id", () => [text("chatId", "us"), file("x")], 400],
    ["a file that is one byte too large", (chatId: string) => [text("chatId", chatId), file(Buffer.alloc(mostBytes + 1))], 413],
    ["a file far too large", (chatId: string) => [file(Buffer.alloc(3 * mostBytes)), text("chatId", chatId)], 413],
  ])("a form with %s is refused and changes nothing", async (_what, parts, status) => {
    const { a, b, chatId } = await world.pair();
    const answer = await sendForm(a, "POST", "/chat/send-file", parts(chatId));
    expect(answer).toMatchObject({ status, body: { message: expect.any(String), requestId: expect.any(String) } });
    expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([]);
  });

  test("a file of exactly 5 MB is accepted, also when the request does not state its length", async () => {
    const { a, chatId } = await world.pair();
    const whole = Buffer.alloc(mostBytes, 7);
    expect(await sendFile(a, chatId, file(whole))).toMatchObject({ status: 201, body: { file: { size: mostBytes } } });
    expect((await chunked(a, formBytes([file(Buffer.alloc(mostBytes + 1)), text("chatId", chatId)]))).status).toBe(413);
    expect((await chunked(a, formBytes([file(whole), text("chatId", chatId)]))).status).toBe(201);
  });

  test("a form that never ends is refused once it is too long", async () => {
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
    // The server closes the connection after the answer.
    await eventually("the server reads no more", async () => {
      const before = sent;
      await sleep(300);
      return sent === before;
    });
  });

  test("a body that is not a form, or a malformed form, is refused", async () => {
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

  test("of several errors the first in this order is answered: 404, 413, 401, 403, 400, 403", async () => {
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

  test("uploads and downloads that clients abort leave nothing behind", async () => {
    const { a, chatId } = await world.pair();
    const whole = formBytes([text("chatId", chatId), file(Buffer.alloc(2_000_000))]);
    await Promise.all(Array.from({ length: 30 }, () => abortUpload(a, whole.subarray(0, 1_000_000))));
    // Aborted uploads no longer count against the limit of concurrent uploads.
    const path: string = await eventually(
      "as many uploads as before succeed",
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

  describe("as PingTalk's clients use them", () => {
    test("send-file answers the message, those who joined receive it, and members download it with their cookie", async () => {
      const { members, chatId } = await world.group(3);
      const [a, b] = members as [Person, Person, Person];
      const stranger = await world.person();
      const line = await b.connect();
      await line.callOrThrow("joinChat", { chatId });
      const notes = new File(["Hello"], "notes.txt", { type: "text/html" });
      const answer = await byForm(a, "/chat/send-file", { file: notes, chatId, text: " See this " });
      const sent = { _id: id, url: anyText, name: "notes.txt", mimeType: "text/plain", size: 5 };
      expect(answer).toMatchObject({ status: 201, body: known("message", { chatId, senderId: a.id, text: "See this", file: sent }) });
      expect(await line.waitFor("receiveMessage", ({ _id }) => _id === answer.body._id)).toMatchObject({ file: answer.body.file });
      expect((await by(b)("GET", answer.body.file.url)).body).toBe("Hello");
      expect(await by(stranger)("GET", answer.body.file.url)).toMatchObject(refusal(404, "NOT_FOUND"));
    });
  });
});

/** Sends a body without a content-length. */
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

/** Sends the beginning of an upload, then disconnects. */
async function abortUpload(person: Person, bytes: Buffer): Promise<void> {
  const { request } = await import("node:http");
  const sending = request(`${person.url}/chat/send-file`, {
    method: "POST",
    headers: { authorization: `Bearer ${person.token}`, "content-type": formType, "content-length": bytes.length * 2 },
  });
  const closed = new Promise((resolve) => sending.once("close", resolve));
  sending.on("error", () => undefined);
  sending.write(bytes, () => sending.destroy());
  await closed;
}
