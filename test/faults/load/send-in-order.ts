/** Sends messages without waiting for answers, and after a failure sends again from the first message that failed. */
import { randomBytes } from "node:crypto";
import type { Ack, TestSocket } from "../../support/people/person.ts";

const transient = new Set(["UNAVAILABLE", "RATE_LIMITED", "INTERNAL"]);
const giveUpMs = 60_000;

/** Sends these texts in this order. @throws Error  a permanent refusal, or no success within a minute */
export async function sendInOrder(line: TestSocket, chatId: string, texts: readonly string[]): Promise<void> {
  const run = randomBytes(4).toString("hex");
  const deadline = Date.now() + giveUpMs;
  let next = 0;
  while (next < texts.length) {
    if (Date.now() > deadline) throw new Error(`${texts.length - next} messages without an answer after ${giveUpMs} ms`);
    const answers = await Promise.all(
      texts
        .slice(next)
        .map((text, i) =>
          line.call("sendMessage", { chatId, text, clientId: `${run}-${next + i}` }).catch((error: unknown): Ack => lost(error)),
        ),
    );
    const failed = answers.findIndex(({ ok }) => !ok);
    if (failed === -1) return;
    const answer = answers[failed]!;
    if (!answer.ok && !transient.has(answer.error.code)) throw new Error(`refused: ${answer.error.code} ${answer.error.message}`);
    next += failed;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Treats a timeout or a lost connection as UNAVAILABLE. */
const lost = (error: unknown): Ack => ({ ok: false, error: { code: "UNAVAILABLE", message: (error as Error).message } });
