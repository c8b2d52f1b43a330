/** Tests the client library on a server that sends answers and events in an order in which a real server sends them only sometimes. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { Server, type Socket } from "socket.io";
import { MemoryStorage, Parley, type Message } from "../../../client/index.ts";
import { chatId, chatOf, me, message } from "../../support/client/documents.ts";
import { eventsOf } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";

/**
 * Serves a client that resumes with one chat.
 * @param held  the messages of the chat that it holds
 * @param onSubscribe  answers the client's subscription
 * @param onRequest  answers its HTTP requests
 */
async function resumeOn(
  held: readonly Message[],
  onSubscribe: (socket: Socket, answer: (data: object) => void) => void,
  onRequest?: RequestListener,
) {
  const http = createServer(onRequest);
  const io = new Server(http, { path: "/chat/socket.io/", serveClient: false });
  io.on("connection", (socket) => socket.on("subscribe", (_question, answer: (data: object) => void) => onSubscribe(socket, answer)));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const storage = new MemoryStorage();
  storage.save("session", { me: { _id: me, emailId: "ada@example.org" }, token: "token" });
  storage.save(`chat/${chatId}`, { chat: headAfter(held), seq: held.at(-1)?.seq ?? 0, messages: held });
  const client = await Parley.resume({ url, storage });
  return { io, client, close: () => client.close().then(() => io.close()) };
}

const messagesFrom = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => message({ n: first + i }));
const headAfter = (messages: readonly Message[]) => {
  const { n: lastN, seq: lastSeq } = messages.at(-1) ?? { n: 0, seq: 0 };
  return chatOf({ lastN, lastSeq });
};
const answerWith = (messages: readonly Message[]) => {
  const chat = headAfter(messages);
  const data = { chats: [chat], messages: { [chatId]: messages }, seq: { [chatId]: chat.lastSeq }, more: [], removed: [], reset: [] };
  return { ok: true, data };
};

test("events sent right after an answer are emitted after the answer's messages", async () => {
  const { client, close } = await resumeOn([], (socket, answer) => {
    answer(answerWith(messagesFrom(1, 20)));
    for (const later of messagesFrom(21, 40)) socket.emit("receiveMessage", later);
  });
  const received = eventsOf(client, "message");
  await eventually("all messages are emitted", () => received.length >= 40);
  expect(received.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  await close();
});

test("a page of older messages is not returned if its chat was removed while it was loading", async () => {
  const { io, client, close } = await resumeOn(
    messagesFrom(51, 60),
    (_socket, answer) => answer(answerWith(messagesFrom(61, 61))),
    (_request, response) => {
      const answer = () => response.setHeader("content-type", "application/json").end(JSON.stringify(messagesFrom(41, 50)));
      client.next("chatRemoved").then(answer, answer);
      io.emit("chatRemoved", { chatId });
    },
  );
  await client.online();
  expect(client.hasOlder(chatId)).toBe(true);
  expect(await client.loadOlder(chatId)).toEqual([]);
  expect(client.messages(chatId)).toEqual([]);
  await close();
});
