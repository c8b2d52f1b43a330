/** A removal and sends that race, over both gateways: whoever is removed has heard exactly what lies before it. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../services/chat/contract.ts";
import type { Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const rounds = 200;
const sendsARound = 8;

async function historyAfter(who: Person, chatId: string, n: number): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { body } = await who.get(`/chat/messages/${chatId}?limit=200&after=${all.at(-1)?.n ?? n}`);
    if (body.length === 0) return all;
    all.push(...body);
  }
}

story("Removals", (world) => {
  test(`${rounds} removals raced against sends: the removed one has heard exactly what came before`, async () => {
    const { members, chatId } = await world.group(3);
    const [admin, other, target] = members as [Person, Person, Person];
    const [near, far] = world.gateways();
    const senders = [await admin.at(near).connect(), await other.at(far).connect()];
    const lines = [await target.at(near).connectAndSubscribe(), await target.at(far).connectAndSubscribe()];
    const act = (path: string, field: string) => admin.put(path, { chatId, [field]: target.id });
    const counts = { missed: 0, unseemly: 0, reordered: 0, heard: 0 };

    // The group's first message was there before the lines were.
    for (let round = 1, n = 1; round <= rounds; round++) {
      const from = lines.map(({ received: heard }) => heard.length);
      const sending = senders.flatMap((sender, s) =>
        Array.from({ length: sendsARound / 2 }, (_, i) => sender.callOrThrow("sendMessage", { chatId, text: `${round} ${s} ${i}` })),
      );
      const removing = act("/chat/remove-from-group", "userIdToRemove");
      expect((await removing).status).toBe(200);
      await Promise.all(sending);
      for (const line of lines) await line.waitForCount("chatRemoved", round);

      const stored = await historyAfter(admin, chatId, n);
      const removal = stored.findLast(({ system }) => system?.event === "removed")!;
      const due = stored.filter(({ seq }) => seq < removal.seq).map(({ seq }) => seq);
      lines.forEach(({ received: heard }, index) => {
        const events = heard.slice(from[index]).filter(({ event }) => event === "receiveMessage" || event === "chatRemoved");
        const end = events.findIndex(({ event }) => event === "chatRemoved");
        const seqs = events.slice(0, end).map(({ data }) => data.seq as number);
        counts.heard += seqs.length;
        counts.missed += due.filter((seq) => !seqs.includes(seq)).length;
        counts.unseemly += seqs.filter((seq) => seq >= removal.seq).length + events.slice(end + 1).length;
        counts.reordered += seqs.filter((seq, i) => i > 0 && seq <= seqs[i - 1]!).length;
      });

      n = stored.at(-1)!.n + 1;
      expect((await act("/chat/add-to-group", "userIdToAdd")).status).toBe(200);
      for (const line of lines) await line.waitForCount("chatChanged", round);
      for (const line of lines) await line.waitFor("receiveMessage", ({ n: heard }) => heard === n);
    }
    process.stderr.write(`${rounds} removals raced against sends: ${JSON.stringify(counts)}\n`);
    expect(counts).toEqual({ missed: 0, unseemly: 0, reordered: 0, heard: expect.any(Number) });
  });
});
