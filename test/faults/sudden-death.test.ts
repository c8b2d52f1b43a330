/** Kills the embedded server under load: no acknowledged message is lost, duplicated or reordered. */
import { rm } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { io } from "socket.io-client";
import type { Message } from "../../services/chat/contract.ts";
import { eventually } from "../support/eventually.ts";
import { factory } from "../support/people/factory.ts";
import type { Ack, Person } from "../support/people/person.ts";
import { freePort, startEmbedded, temporaryFolder } from "../support/servers/server.ts";

/** A client that sends without pause, repeats messages that were not acknowledged, and syncs whenever it reconnects. */
function stormOf({ url, token }: Person, name: string, chatId: string) {
  const acknowledged = new Map<string, number>();
  const received: Message[] = [];
  let seq = 1;
  const state = { isOver: false };
  const receive = (message: Message) => {
    received.push(message);
    seq = Math.max(seq, message.seq);
  };
  const socket = io(url, { auth: { token }, transports: ["websocket"], forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const ask = async (event: string, payload: object): Promise<Ack | undefined> => {
    try {
      return (await socket.timeout(3000).emitWithAck(event, payload)) as Ack;
    } catch {
      return undefined;
    }
  };
  // Ignore events before the answer to `subscribe`: they are newer than it, so counting them would skip what the answer contains. A
  // callback, not a promise: events in the same packet as the answer must be handled after it.
  let isCaughtUp = false;
  const catchUp = () =>
    socket.timeout(3000).emit("subscribe", { since: { [chatId]: seq } }, (error: Error | null, answer?: Ack) => {
      if (error !== null || answer?.ok !== true) {
        if (socket.connected) socket.disconnect().connect();
        return;
      }
      for (const message of (answer.data.messages[chatId] ?? []) as Message[]) receive(message);
      isCaughtUp = answer.data.more.length === 0;
      if (!isCaughtUp) catchUp();
    });
  socket.on("connect", () => {
    isCaughtUp = false;
    catchUp();
  });
  socket.on("receiveMessage", (message: Message) => {
    if (isCaughtUp) receive(message);
  });

  async function send(clientId: string): Promise<void> {
    const answer = await ask("sendMessage", { chatId, text: clientId, clientId });
    if (answer?.ok === true) acknowledged.set(clientId, answer.data.n);
    else await send(clientId);
  }
  const sending = (async () => {
    for (let i = 0; !state.isOver; i++) await send(`${name}-${i}`);
  })();
  return {
    acknowledged,
    received,
    end: async () => {
      state.isOver = true;
      await sending;
    },
    close: () => socket.disconnect(),
  };
}

async function wholeHistory(reader: Person, chatId: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { body } = await reader.get(`/chat/messages/${chatId}?limit=200&after=${all.at(-1)?.n ?? 0}`);
    if (body.length === 0) return all;
    all.push(...body);
  }
}
const isAscending = (numbers: readonly number[]) => numbers.every((value, index) => index === 0 || value > numbers[index - 1]!);

test("three kills of the server under load lose, duplicate and reorder no message", async () => {
  const [dataDir, port] = [await temporaryFolder(), await freePort()];
  let server = await startEmbedded({ dataDir, port });
  const made = factory(() => [server.url]);
  const { members, chatId } = await made.group(6);
  const storms = members.map((member, index) => stormOf(member, `m${index}`, chatId));
  const everyoneSends = (count: number) =>
    eventually("everyone's messages are acknowledged", () => storms.every(({ acknowledged }) => acknowledged.size >= count), 120_000);

  for (let kill = 1; kill <= 3; kill++) {
    await everyoneSends(kill * 100);
    server.signal("SIGKILL");
    await server.exited;
    server = await startEmbedded({ dataDir, port });
  }
  await everyoneSends(400);
  await Promise.all(storms.map(({ end }) => end()));
  const stored = await wholeHistory(members[0], chatId);
  await eventually("everyone has received the last message", () => storms.every(({ received }) => received.at(-1)?.n === stored.length));

  const byClientId = new Map(stored.map((message) => [message.clientId, message]));
  const acknowledged = storms.flatMap((storm) => [...storm.acknowledged]);
  const lost = acknowledged.filter(([clientId, n]) => byClientId.get(clientId)?.n !== n).length;
  const ofSender = (name: string) =>
    stored.filter(({ clientId }) => clientId.startsWith(name)).map(({ clientId }) => Number(clientId.split("-")[1]));
  const outOfOrder = storms.filter((_, index) => !isAscending(ofSender(`m${index}-`))).length;
  const wrongViews = storms.filter(
    ({ received }) => !isAscending(received.map(({ seq }) => seq)) || received.length !== stored.length - 1,
  ).length;
  const counts = { lost, duplicated: stored.length - byClientId.size, outOfOrder, wrongViews };
  process.stderr.write(`three kills: ${acknowledged.length} messages acknowledged; ${JSON.stringify(counts)}\n`);
  expect(stored.map(({ n }) => n)).toEqual(stored.map((_, index) => index + 1));
  expect(counts).toEqual({ lost: 0, duplicated: 0, outOfOrder: 0, wrongViews: 0 });

  for (const { close } of storms) close();
  await server.stop();
  await rm(dataDir, { recursive: true });
});
