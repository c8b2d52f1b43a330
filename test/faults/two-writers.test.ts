/**
 * Two chat nodes write one chat at once, with the routing that would avoid it switched off: nothing is lost, doubled or out of
 * order, also when one of the two is frozen in the middle and comes back.
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

/** What a reader's socket, or history, got wrong of what was sent. */
function faults(heard: readonly ReceivedMessage[], expected: ReadonlySet<string>) {
  const texts = heard.map(({ text }) => text);
  const distinct = new Set(texts);
  return {
    lost: [...expected].filter((text) => !distinct.has(text)).length,
    doubled: texts.length - distinct.size,
    outOfOrder: heard.filter(({ seq }, i) => i > 0 && seq <= heard[i - 1]!.seq).length,
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

describeMesh("Two writers in one chat", () => {
  const own = ownMesh({ env: { ROUTING: "off" } });
  const { made } = own;

  /** @param atOnce  how many messages a sender sends before it waits for their answers */
  async function storm(name: string, atOnce: number, meanwhile: (heardSoFar: () => number) => Promise<void>): Promise<void> {
    const { members, chatId } = await made.group(senderCount + readerCount);
    const senders = members.slice(0, senderCount);
    const readers = members.slice(senderCount);
    const readerLines = await Promise.all(
      readers.flatMap((reader) => own.mesh.gateways.map((url) => reader.at(url).connectAndSubscribe())),
    );
    const textsOf = (sender: number) => Array.from({ length: perSender }, (_, i) => `from ${sender}: ${i}`);
    const heardBy = (line: TestSocket) =>
      (line.payloadsOf("receiveMessage") as ReceivedMessage[]).filter(({ text }) => text.startsWith("from "));

    const began = Date.now();
    const sending = senders.map(async (sender, i) => {
      const line = await sender.connect({ reconnection: true });
      const texts = textsOf(i);
      for (let from = 0; from < perSender; from += atOnce) await sendInOrder(line, chatId, texts.slice(from, from + atOnce));
      return Date.now() - began;
    });
    const [times] = await Promise.all([Promise.all(sending), meanwhile(() => heardBy(readerLines[0]!).length)]);
    const storedMs = Math.max(...times);
    const expected = new Set(senders.flatMap((_, i) => textsOf(i)));
    await eventually(
      "every reader heard every message",
      () => readerLines.every((line) => new Set(heardBy(line).map(({ text }) => text)).size === total),
      120_000,
    ).catch(() => undefined);

    const perLine = readerLines.map((line) => faults(heardBy(line), expected));
    const sum = (key: "lost" | "doubled" | "outOfOrder") => perLine.reduce((all, one) => all + one[key], 0);
    const counts = { lost: sum("lost"), doubled: sum("doubled"), outOfOrder: sum("outOfOrder") };
    process.stderr.write(
      `${name}: ${total} messages stored in ${storedMs} ms; ${readerLines.length} readers' sockets: ${JSON.stringify(counts)}\n`,
    );
    expect(counts).toEqual({ lost: 0, doubled: 0, outOfOrder: 0 });

    const stored = await readAll(readers[0]!, chatId);
    expect(faults(stored, expected)).toEqual({ lost: 0, doubled: 0, outOfOrder: 0 });
    const first = stored[0]!.n;
    expect(stored.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, i) => first + i));
    senders.forEach(({ id }, i) => expect(stored.filter(({ senderId }) => senderId === id).map(({ text }) => text)).toEqual(textsOf(i)));
    for (const line of readerLines) {
      expect(heardBy(line).map(({ text }) => text)).toEqual(stored.map(({ text }) => text));
      line.close();
    }
  }

  test("2,000 messages from 20 senders are stored once, in one order, for everybody", async () => {
    await storm("two writers", perSender, () => Promise.resolve());
  });

  test("the same with one of the nodes frozen for 20 s in the middle", async () => {
    await storm("two writers, one frozen", 5, async (heardSoFar) => {
      await eventually("the storm is under way", () => heardSoFar() > total / 4, 60_000);
      own.mesh.freeze("chatA");
      process.stderr.write(`froze a writer after ${heardSoFar()} messages\n`);
      expect(heardSoFar()).toBeLessThan((total * 3) / 4);
      await new Promise((resolve) => setTimeout(resolve, frozenMs));
      own.mesh.thaw("chatA");
      await own.mesh.node("chatA").ready();
    });
  });
});
