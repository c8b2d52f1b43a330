/** Tests the outbox against the gateway's own queue: over refusals, lost and late answers, each message is stored once, in order. */
import { describe, expect, test } from "@jest/globals";
import { Outbox } from "../../../client/outbox/outbox.ts";
import type { QueuedMessage } from "../../../client/outbox/queued-message.ts";
import { ParleyError, serverError } from "../../../client/errors.ts";
import type { Message } from "../../../client/index.ts";
import { TooMany, Unavailable } from "../../../core/errors.ts";
import { SendQueue } from "../../../services/gateway/socket/inbound/send-queue.ts";
import { chatId, me, message } from "../../support/client/documents.ts";
import { seeded } from "../../support/random.ts";

const queued = (clientId: string, chat = chatId): QueuedMessage => ({
  chatId: chat,
  clientId,
  text: clientId,
  createdAt: "2030-01-01T00:00:00.000Z",
});
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Makes an outbox that records which messages were stored and changed. */
function outboxOver(deliver: (message: QueuedMessage) => Promise<Message>) {
  const stored: string[] = [];
  const changed: QueuedMessage[] = [];
  const outbox = new Outbox({
    send: deliver,
    onStored: ({ clientId }) => stored.push(clientId),
    onChanged: (one) => changed.push(one),
    onDirty: () => undefined,
  });
  return { outbox, stored, changed };
}

describe("the outbox", () => {
  test("messages sent while offline go out in order once there is a connection", async () => {
    const sent: string[] = [];
    const { outbox } = outboxOver(({ clientId }) => {
      sent.push(clientId);
      return Promise.resolve(message({ n: sent.length, senderId: me, clientId }));
    });
    for (const id of ["a", "b", "c"]) outbox.add(queued(id));
    await Promise.resolve();
    expect(sent).toEqual([]);
    outbox.resume();
    await outbox.outcome("c");
    expect(sent).toEqual(["a", "b", "c"]);
  });

  test("when the client ends, waiting callers get an error, and pending messages stay", async () => {
    const { outbox } = outboxOver(() => Promise.withResolvers<Message>().promise);
    outbox.resume();
    outbox.add(queued("a"));
    const waiting = [outbox.outcome("a"), outbox.whenEmpty()];
    outbox.pause();
    outbox.end();
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: "OFFLINE" });
    outbox.add(queued("b"));
    await expect(outbox.outcome("b")).rejects.toMatchObject({ code: "OFFLINE" });
    await expect(outbox.whenEmpty()).rejects.toMatchObject({ code: "OFFLINE" });
    expect(outbox.messages).toMatchObject([{ clientId: "a" }, { clientId: "b" }]);
  });

  test("a permanent refusal fails one message, and the next ones go on; it can be retried or discarded", async () => {
    let isForbidden = true;
    const { outbox, stored, changed } = outboxOver(({ clientId }) =>
      clientId === "b" && isForbidden
        ? Promise.reject(new ParleyError("FORBIDDEN", "No"))
        : Promise.resolve(message({ n: 1, senderId: me, clientId })),
    );
    outbox.resume();
    for (const id of ["a", "b", "c"]) outbox.add(queued(id));
    await expect(outbox.outcome("b")).rejects.toMatchObject({ code: "FORBIDDEN" });
    await outbox.outcome("c");
    expect(stored).toEqual(["a", "c"]);
    expect(outbox.messages).toMatchObject([{ clientId: "b", failure: { code: "FORBIDDEN", message: "No" } }]);
    isForbidden = false;
    outbox.retry("b");
    await outbox.outcome("b");
    expect(stored).toEqual(["a", "c", "b"]);
    expect(changed.map(({ failure }) => failure?.code)).toEqual(["FORBIDDEN", undefined]);
    isForbidden = true;
    outbox.add(queued("b"));
    await expect(outbox.outcome("b")).rejects.toMatchObject({ code: "FORBIDDEN" });
    outbox.discard("b");
    expect(outbox.messages).toEqual([]);
  });

  test("an event that brings the message ends the wait for its answer", async () => {
    const { outbox, stored } = outboxOver(({ clientId }) =>
      clientId === "a" ? new Promise(() => undefined) : Promise.resolve(message({ n: 2, senderId: me, clientId })),
    );
    outbox.resume();
    for (const id of ["a", "b"]) outbox.add(queued(id));
    expect(outbox.confirm(message({ n: 1, senderId: me, clientId: "a" }))).toBe(true);
    expect(outbox.confirm(message({ n: 1, senderId: me, clientId: "a" }))).toBe(false);
    await outbox.outcome("b");
    expect(stored).toEqual(["a", "b"]);
  });

  test("an INTERNAL error is retried, and fails the message if it persists", async () => {
    let attempts = 0;
    const { outbox } = outboxOver(() => {
      attempts++;
      return Promise.reject(new ParleyError("INTERNAL", "Oh", { retryAfterMs: 1 }));
    });
    outbox.resume();
    outbox.add(queued("a"));
    await expect(outbox.outcome("a")).rejects.toMatchObject({ code: "INTERNAL" });
    expect(attempts).toBe(5);
  });

  test("a message that is being retried does not block another chat", async () => {
    const elsewhere = "d".repeat(24);
    const { outbox } = outboxOver(({ chatId: chat, clientId }) =>
      chat === chatId
        ? Promise.reject(new ParleyError("UNAVAILABLE", "Later", { retryAfterMs: 5 }))
        : Promise.resolve(message({ n: 1, senderId: me, clientId, chatId: elsewhere })),
    );
    outbox.resume();
    outbox.add(queued("a"));
    outbox.add(queued("b", elsewhere));
    await outbox.outcome("b");
    expect(outbox.messages).toMatchObject([{ clientId: "a" }]);
    outbox.pause();
  });
});

/** Makes a server that stores each clientId once, and refuses or loses answers at random. */
function serverWith(random: () => number) {
  const stored: string[] = [];
  const store = (clientId: string): Message => {
    if (!stored.includes(clientId)) stored.push(clientId);
    return message({ n: stored.indexOf(clientId) + 1, senderId: me, clientId });
  };
  const socket = () =>
    new SendQueue(async (batch) => {
      for (let i = Math.floor(random() * 5); i > 0; i--) await Promise.resolve();
      if (random() < 0.1) throw new Unavailable("away", 2);
      return batch.map(({ clientId }) => ({ ok: true, message: store(clientId), stored: true }));
    });
  return { stored, socket };
}

test.each(numbers(10).map((i) => (Date.now() % 1_000_000) + i))(
  "seed %i: 100 messages over a bad line are stored once, in order",
  async (seed) => {
    const random = seeded(seed);
    const { stored, socket } = serverWith(random);
    let sends = socket();
    const { outbox, stored: storedInOrder } = outboxOver(async ({ clientId, text }) => {
      const refused = random() < 0.1 ? new TooMany(2) : undefined;
      const answer = sends.send({ message: { clientId, text }, isRepeatable: true, refusal: refused });
      answer.catch(() => undefined);
      if (random() < 0.05) {
        sends = socket(); // the connection is lost, and a pending message may or may not be stored
        throw new ParleyError("OFFLINE", "gone", { retryAfterMs: 1 });
      }
      try {
        const sent = await answer;
        if (!sent.ok) throw serverError(sent.error);
        return sent.message;
      } catch (error) {
        const { type, data } = error as { type?: string; data?: object };
        throw type === undefined ? error : serverError({ code: type, ...data });
      }
    });
    outbox.resume();
    const ids = numbers(100).map((i) => `m${i}`);
    for (const id of ids) outbox.add(queued(id));
    await outbox.outcome(ids.at(-1)!);
    expect(stored).toEqual(ids);
    expect(storedInOrder).toEqual(ids);
  },
);
