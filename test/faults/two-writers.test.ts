/**
 * Two chat nodes write to one chat concurrently, because routing is switched off: nothing is lost, duplicated or out of order, even if
 * one of them is frozen for a while.
 */
import { expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { describeMesh } from "../support/systems/describe-with.ts";
import { ownMesh } from "../support/systems/own-mesh.ts";
import type { TestSocket, Person } from "../support/people/person.ts";
import { sendInOrder } from "./load/send-in-order.ts";

const senderCount = 20;
const perSender = 100;
const total = senderCount * perSender;
const readerCount = 10;
const frozenMs = 20_000;

interface ReceivedMessage {
  readonly n: number;
  readonly seq: number;
  readonly text: string;
  readonly senderId: string;
}

/** Compares what a reader received, or the history, with what was sent. */
function faults(received: readonly ReceivedMessage[], expected: ReadonlySet<string>) {
  const texts = received.map(({ text }) => text);
  const distinct = new Set(texts);
  return {
    lost: [...expected].filter((text) => !distinct.has(text)).length,
    duplicated: texts.length - distinct.size,
    outOfOrder: received.filter(({ seq }, i) => i > 0 && seq <= received[i - 1]!.seq).length,
  };
}

async function readAll(reader: Person, chatId: string): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = [];
  for (let since = 0, more = true; more;) {
    const { body } = await reader.post("/chat/sync", { since: { [chatId]: since } });
    messages.push(...(body.messages[chatId] ?? []));
    since = body.seq[chatId];
    more = body.more.includes(chatId);
  }
  return messages.filter(({ text }) => text.startsWith("from "));
}

describeMesh("Two chat nodes that write to one chat", () => {
  const own = ownMesh({ env: { ROUTING: "off" } });
  const { made } = own;

  /** @param concurrency  how many messages a sender sends before it waits for their answers */
  async function storm(name: string, concurrency: number, meanwhile: (receivedSoFar: () => number) => Promise<void>): Promise<void> {
    const { members, chatId } = await made.group(senderCount + readerCount);
    const senders = members.slice(0, senderCount);
    const readers = members.slice(senderCount);
    const readerSockets = await Promise.all(
      readers.flatMap((reader) => own.mesh.gateways.map((url) => reader.at(url).connectAndSubscribe())),
    );
    const textsOf = (sender: number) => Array.from({ length: perSender }, (_, i) => `from ${sender}: ${i}`);
    const receivedBy = (line: TestSocket) =>
      (line.payloadsOf("receiveMessage") as ReceivedMessage[]).filter(({ text }) => text.startsWith("from "));

    const began = Date.now();
    const sending = senders.map(async (sender, i) => {
      const line = await sender.connect({ reconnection: true });
      const texts = textsOf(i);
      for (let from = 0; from < perSender; from += concurrency) await sendInOrder(line, chatId, texts.slice(from, from + concurrency));
      return Date.now() - began;
    });
    const [times] = await Promise.all([Promise.all(sending), meanwhile(() => receivedBy(readerSockets[0]!).length)]);
    const storedMs = Math.max(...times);
    const expected = new Set(senders.flatMap((_, i) => textsOf(i)));
    await eventually(
      "every reader received every message",
      () => readerSockets.every((line) => new Set(receivedBy(line).map(({ text }) => text)).size === total),
      120_000,
    ).catch(() => undefined);

    const perLine = readerSockets.map((line) => faults(receivedBy(line), expected));
    const sum = (key: "lost" | "duplicated" | "outOfOrder") => perLine.reduce((all, one) => all + one[key], 0);
    const counts = { lost: sum("lost"), duplicated: sum("duplicated"), outOfOrder: sum("outOfOrder") };
    process.stderr.write(
      `${name}: ${total} messages stored in ${storedMs} ms; ${readerSockets.length} readers' sockets: ${JSON.stringify(counts)}\n`,
    );
    expect(counts).toEqual({ lost: 0, duplicated: 0, outOfOrder: 0 });

    const stored = await readAll(readers[0]!, chatId);
    expect(faults(stored, expected)).toEqual({ lost: 0, duplicated: 0, outOfOrder: 0 });
    const first = stored[0]!.n;
    expect(stored.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, i) => first + i));
    senders.forEach(({ id }, i) => expect(stored.filter(({ senderId }) => senderId === id).map(({ text }) => text)).toEqual(textsOf(i)));
    for (const line of readerSockets) {
      expect(receivedBy(line).map(({ text }) => text)).toEqual(stored.map(({ text }) => text));
      line.close();
    }
  }

  test("store 2,000 messages from 20 senders once, in one order that every reader sees", async () => {
    await storm("two writers", perSender, () => Promise.resolve());
  });

  test("store 2,000 messages once and in one order even if one node is frozen for 20 s meanwhile", async () => {
    await storm("two writers, one frozen", 5, async (receivedSoFar) => {
      await eventually("the storm is under way", () => receivedSoFar() > total / 4, 60_000);
      own.mesh.freeze("chatA");
      process.stderr.write(`froze a writer after ${receivedSoFar()} messages\n`);
      expect(receivedSoFar()).toBeLessThan((total * 3) / 4);
      await new Promise((resolve) => setTimeout(resolve, frozenMs));
      own.mesh.thaw("chatA");
      await own.mesh.node("chatA").ready();
    });
  });
});
