/** A chat node is killed or frozen during a transaction: the chat accepts messages again within seconds, and each is stored once. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { settlesWithin } from "../../support/attempts.ts";
import { eventually, within } from "../../support/eventually.ts";
import { isFrozen } from "../../support/fault-injection/freeze.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";

describeMesh("A chat node that fails during a transaction", () => {
  const own = ownMesh({ env: { ROUTING: "off" }, without: ["chatB"] });
  const { made } = own;

  /** Kills or freezes a writer. @returns whether the chat accepted messages again in time */
  async function recoversInTime(what: string, fault: string): Promise<boolean> {
    const { a, b, chatId } = await made.pair();
    const reader = await b.connectAndSubscribe();
    const victim = await own.mesh.start("chatB", "chat", { FAULTS: `store.commit=${fault}` });
    let failedAt = 0;
    void victim.exited.then(() => (failedAt ||= Date.now()));

    const sent: string[] = [];
    /** Repeats a message under its clientId until it is stored. @returns when it was acknowledged */
    async function store(text: string): Promise<number> {
      return eventually(
        `"${text}" is stored`,
        async () => {
          const { status } = await a.post("/chat/messages", { chatId, text, clientId: text });
          if (status !== 200 && status !== 201) return undefined;
          sent.push(text);
          return Date.now();
        },
        60_000,
      );
    }
    const watch = setInterval(() => {
      if (fault === "freeze" && failedAt === 0 && isFrozen(victim)) failedAt = Date.now();
    }, 20);
    const storing: Promise<number>[] = [];
    try {
      const failed = eventually("the writer failed", () => failedAt > 0, 60_000);
      for (let i = 0; failedAt === 0; i++) await Promise.race([(storing[i] = store(`before ${i}`)), failed]);
    } finally {
      clearInterval(watch);
    }
    // A call to the failed writer waits until that node is considered gone. Later calls may succeed sooner, so send a new one every 250 ms.
    const accepted = Promise.withResolvers<number>();
    const over = new AbortController();
    const recovery = settlesWithin(10_000, within(60_000, "the chat accepts messages again", accepted.promise)).finally(() => over.abort());
    for (let i = 0; !over.signal.aborted; i++) {
      storing.push(store(`after ${i}`));
      void storing.at(-1)!.then(accepted.resolve);
      await Promise.race([recovery.catch(() => undefined), sleep(250)]);
    }
    const isInTime = await recovery;
    process.stderr.write(`a writer ${what} during its transaction: messages accepted after ${(await accepted.promise) - failedAt} ms\n`);
    await Promise.all(storing);
    if (fault === "freeze") {
      victim.signal("SIGCONT");
      await victim.ready();
    }
    await store("last");
    await reader.waitFor("receiveMessage", ({ text }) => text === "last");
    const history = (await b.get(`/chat/messages/${chatId}?limit=200`)).body;
    const stored: string[] = history.map(({ text }: { text: string }) => text);
    expect(stored.toSorted()).toEqual(sent.toSorted());
    expect(history.map(({ n }: { n: number }) => n)).toEqual(sent.map((_, i) => i + 1));
    expect(reader.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(stored);
    await victim.stop();
    return isInTime;
  }

  // Other work on the machine only makes the recovery slower, so it is enough if one of two attempts is in time.
  test.each([
    ["killed", "kill"],
    ["frozen", "freeze"],
  ])("and is %s blocks its chat for at most 10 s, and no message is duplicated", async (what, fault) => {
    expect((await recoversInTime(what, fault)) || (await recoversInTime(what, fault))).toBe(true);
  });
});
