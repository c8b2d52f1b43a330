/** A chat node that dies or freezes in the middle of a transaction holds its chat up for a few seconds at most, and doubles nothing. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { factory, type Factory } from "../support/factory.ts";
import { describeMesh } from "../support/infra-describe.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import type { Node } from "../support/server.ts";

/** Whether a process is stopped by a signal, as Linux tells it. */
const isFrozen = ({ pid }: Node): boolean => /\) T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

describeMesh("A writer that ends in the middle of a transaction", () => {
  let mesh: Mesh;
  let made: Factory;

  beforeAll(async () => {
    mesh = await startMesh({ env: { ROUTING: "off" }, without: ["chatB"] });
    made = factory(() => mesh.gateways);
  }, 120_000);
  afterAll(async () => {
    made.leave();
    await mesh.stop();
  }, 60_000);

  test.each([
    ["killed", "kill"],
    ["frozen", "freeze"],
  ])(
    "%s: the chat takes messages again within 10 s, and nothing is doubled",
    async (what, fault) => {
      const { a, b, chatId } = await made.pair();
      const reader = await b.listen();
      const victim = await mesh.start("chatB", "chat", { FAULTS: `store.commit=${fault}` });
      let fell = 0;
      void victim.exited.then(() => (fell ||= Date.now()));

      const sent: string[] = [];
      /** Sends until it is stored, as a client with a clientId may. @returns when it was answered */
      async function store(text: string): Promise<number> {
        return eventually(
          `"${text}" is stored`,
          async () => {
            const { status } = await a.post("/chat/messages", { chatId, text, clientId: text });
            if (fault === "freeze" && fell === 0 && isFrozen(victim)) fell = Date.now();
            if (status !== 200 && status !== 201) return undefined;
            sent.push(text);
            return Date.now();
          },
          30_000,
        );
      }
      const watch = setInterval(() => {
        if (fault === "freeze" && fell === 0 && isFrozen(victim)) fell = Date.now();
      }, 20);
      try {
        for (let i = 0; fell === 0; i++) await store(`before ${i}`);
      } finally {
        clearInterval(watch);
      }
      const again = await store("after");
      process.stderr.write(`a writer ${what} in its transaction: messages again after ${again - fell} ms\n`);
      expect(again - fell).toBeLessThan(10_000);

      if (fault === "freeze") {
        victim.signal("SIGCONT");
        await victim.ready();
      }
      await store("last");
      await reader.until("receiveMessage", ({ text }) => text === "last", 15_000);
      const history = (await b.get(`/chat/messages/${chatId}?limit=200`)).body;
      expect(history.map(({ text }: { text: string }) => text)).toEqual(sent);
      expect(history.map(({ n }: { n: number }) => n)).toEqual(sent.map((_, i) => i + 1));
      expect(reader.all("receiveMessage").map(({ text }) => text)).toEqual(sent);
      await victim.stop();
    },
    120_000,
  );
});
