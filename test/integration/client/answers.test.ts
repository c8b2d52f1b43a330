/** Tests the client library on a server that sends an answer and events in one piece, as a real server does only sometimes. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { Server } from "socket.io";
import { MemoryStorage, Parley } from "../../../client/index.ts";
import { chatId, chatOf, me, message } from "../../support/client/documents.ts";
import { eventsOf } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";

test("events sent right after an answer are emitted after the answer's messages", async () => {
  const http = createServer();
  const io = new Server(http, { path: "/chat/socket.io/", serveClient: false });
  const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
  const head = chatOf({ lastN: 20, lastSeq: 20 });
  io.on("connection", (socket) => {
    socket.on("subscribe", (_question, answer: (data: object) => void) => {
      const missed = numbers.slice(0, 20).map((n) => message({ n }));
      const data = { chats: [head], messages: { [chatId]: missed }, seq: { [chatId]: 20 }, more: [], removed: [], reset: [] };
      answer({ ok: true, data });
      for (const n of numbers.slice(20)) socket.emit("receiveMessage", message({ n }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const storage = new MemoryStorage();
  storage.save("session", { me: { _id: me, emailId: "ada@example.org" }, token: "token" });
  storage.save(`chat/${chatId}`, { chat: chatOf(), seq: 0, messages: [] });

  const client = await Parley.resume({ url, storage });
  const received = eventsOf(client, "message");
  await eventually("all messages are emitted", () => received.length >= numbers.length);
  expect(received.map(({ n }) => n)).toEqual(numbers);
  await client.close();
  await io.close();
});
