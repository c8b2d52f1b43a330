/** Tests the order of a sender's messages at the gateway when calls fail, and the throttle of typing reports. */
import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { eventually } from "../../../support/eventually.ts";
import { Forbidden, TooMany, Unavailable } from "../../../../core/errors.ts";
import type { Message, SendResult } from "../../../../services/chat/contract.ts";
import { SendQueue, type SendAttempt } from "../../../../services/gateway/socket/inbound/send-queue.ts";
import { TypingThrottle } from "../../../../services/gateway/socket/inbound/typing-throttle.ts";

describe("the send queue", () => {
  /** A chat that stores what it is called with, unless it is away. */
  function chatOf() {
    const calls: string[][] = [];
    const stored: string[] = [];
    let isAway = false;
    const sends = new SendQueue(async (messages) => {
      calls.push(messages.map(({ clientId }) => clientId));
      await new Promise((resolve) => setImmediate(resolve));
      if (isAway) throw new Unavailable();
      return messages.map(({ clientId }): SendResult => {
        stored.push(clientId);
        return { ok: true, message: {} as Message, stored: true };
      });
    });
    const send = (clientId: string, more: Partial<SendAttempt> = {}) =>
      sends.send({ message: { text: clientId, clientId }, isRepeatable: true, ...more }).then(
        () => "stored",
        (error: unknown) => (error as { type: string }).type,
      );
    return { sends, send, calls, stored, away: (is: boolean) => (isAway = is) };
  }

  test("one call is in flight at a time, and the messages that arrive meanwhile are sent together", async () => {
    const { send, calls, stored } = chatOf();
    const first = send("1");
    await Promise.resolve();
    await Promise.resolve();
    await Promise.all([first, send("2"), send("3"), send("4")]);
    expect(calls).toEqual([["1"], ["2", "3", "4"]]);
    expect(stored).toEqual(["1", "2", "3", "4"]);
  });

  test("no message overtakes a failed one that will be repeated", async () => {
    const { send, stored, away } = chatOf();
    away(true);
    expect(await Promise.all([send("1"), send("2"), send("3")])).toEqual(["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]);
    away(false);
    // On its way before its sender could know.
    expect(await send("4")).toBe("UNAVAILABLE");
    expect(await Promise.all(["1", "2", "3", "4"].map((clientId) => send(clientId)))).toEqual(["stored", "stored", "stored", "stored"]);
    expect(stored).toEqual(["1", "2", "3", "4"]);
  });

  test("messages behind a rate-limited one are refused until it is repeated", async () => {
    const { send, stored } = chatOf();
    const refusal = new TooMany(100);
    expect(await Promise.all([send("1"), send("2", { refusal }), send("3")])).toEqual(["stored", "RATE_LIMITED", "RATE_LIMITED"]);
    expect(await Promise.all([send("2"), send("3")])).toEqual(["stored", "stored"]);
    expect(stored).toEqual(["1", "2", "3"]);
  });

  test("a refused message that is not repeated in time no longer blocks the queue", async () => {
    const { send, stored } = chatOf();
    expect(await send("1", { refusal: new TooMany(50) })).toBe("RATE_LIMITED");
    expect(await send("2")).toBe("RATE_LIMITED");
    await eventually("another message goes", async () => (await send("3")) === "stored", 1000);
    expect(stored).toEqual(["3"]);
  });

  test("a message that arrived while the gateway was paused does not overtake the refused one", async () => {
    const { send, stored } = chatOf();
    expect(await send("1", { refusal: new TooMany(50) })).toBe("RATE_LIMITED");
    // As from a socket: it is there already, and is read when the process goes on, after its timers.
    const { port1, port2 } = new MessageChannel();
    const read = once(port2, "message").then(() => send("2"));
    port1.postMessage("2");
    for (const until = performance.now() + 200; performance.now() < until;);
    expect(await read).toBe("RATE_LIMITED");
    port1.close();
    expect(await send("1")).toBe("stored");
    expect(stored).toEqual(["1"]);
  });

  test("a message that cannot be repeated does not block the queue", async () => {
    const { send, stored } = chatOf();
    const old = { isRepeatable: false };
    expect(await send("1", { ...old, refusal: new TooMany(100) })).toBe("RATE_LIMITED");
    expect(await send("2", old)).toBe("stored");
    expect(await send("3")).toBe("stored");
    expect(stored).toEqual(["2", "3"]);
  });

  test("the queue is not idle while a failed message may be repeated", async () => {
    const { sends, send, away } = chatOf();
    expect(sends.isIdle).toBe(true);
    away(true);
    await send("1");
    expect(sends.isIdle).toBe(false);
    away(false);
    await send("1");
    await Promise.resolve();
    expect(sends.isIdle).toBe(true);
  });
});

describe("the typing throttle", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function socket() {
    const calls: string[] = [];
    const typed = new TypingThrottle();
    const says = (chatId: string, isTyping: boolean, refusal?: Error) =>
      typed.report({ chatId, isTyping }, () => {
        calls.push(`${chatId} ${isTyping}`);
        return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
      });
    return { typed, says, calls };
  }

  test("a repeated report makes no call, and a changed one or another chat's makes one", async () => {
    const { says, calls } = socket();
    for (let key = 0; key < 20; key++) await says("a", true);
    await says("b", true);
    await says("a", false);
    await says("a", false);
    expect(calls).toEqual(["a true", "b true", "a false"]);
  });

  test("a user who goes on typing is reported again before the indicator expires", async () => {
    const { says, calls } = socket();
    for (let key = 0; key < 60; key++) {
      await says("a", true);
      await jest.advanceTimersByTimeAsync(100);
    }
    expect(calls.length).toBe(3);
  });

  test("typing is reported again after a message", async () => {
    const { typed, says, calls } = socket();
    await says("a", true);
    typed.forget("a");
    await says("a", true);
    expect(calls).toEqual(["a true", "a true"]);
  });

  test("a refusal fails all reports that waited for it, and is not remembered", async () => {
    const { says, calls } = socket();
    const both = [says("a", true, new Forbidden()), says("a", true)];
    expect(await Promise.allSettled(both)).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
    await says("a", true);
    expect(calls).toEqual(["a true", "a true"]);
  });
});
