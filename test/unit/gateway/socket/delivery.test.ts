/** Tests how a gateway reports delivered watermarks, emits positions, and remembers known memberships. */
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { emitPositions } from "../../../../services/gateway/socket/delivery/positions.ts";
import { KnownMemberships } from "../../../../services/gateway/socket/known-memberships.ts";
import { DeliveredWatermarks } from "../../../../services/gateway/socket/rooms/delivered-watermarks.ts";
import type { RoomSocket } from "../../../../services/gateway/socket/rooms/subscribers.ts";

describe("delivered watermarks", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** A chat that keeps marks, unless it is away. */
  function chatOf() {
    const told: Readonly<Record<string, number>>[] = [];
    let isAway = false;
    const deliveries = new DeliveredWatermarks((marks) => {
      told.push(marks);
      return isAway ? Promise.reject(new Error("away")) : Promise.resolve();
    });
    return { deliveries, told, away: (is: boolean) => (isAway = is) };
  }
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  test("the first is reported quickly, and later ones together every two seconds", async () => {
    const { deliveries, told } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.recordDelivered("b", 1, true);
    await pass(150);
    expect(told).toEqual([{ a: 1, b: 1 }]);
    for (let n = 2; n <= 1000; n++) {
      deliveries.recordDelivered("a", n, true);
      await pass(10);
    }
    await pass(2000);
    expect(told.length).toBeLessThanOrEqual(1 + 10 / 2 + 1);
    expect(told.at(-1)).toEqual({ a: 1000 });
  });

  test("nothing that chat already has is reported, and nothing is reported twice", async () => {
    const { deliveries, told } = chatOf();
    deliveries.recordStored("a", 5);
    deliveries.recordDelivered("a", 5, true);
    deliveries.recordDelivered("b", 5, true);
    await pass(5000);
    deliveries.recordDelivered("b", 5, true);
    await pass(5000);
    expect(told).toEqual([{ b: 5 }]);
  });

  test("a user's own messages alone cause no report, but are included in the next one", async () => {
    const { deliveries, told } = chatOf();
    for (let n = 1; n <= 50; n++) deliveries.recordDelivered("a", n, false);
    await pass(5000);
    expect(told).toEqual([]);
    deliveries.recordDelivered("b", 50, true);
    await pass(5000);
    expect(told).toEqual([{ a: 50, b: 50 }]);
  });

  test("a failed report is repeated with growing delays, one call at a time", async () => {
    const { deliveries, told, away } = chatOf();
    away(true);
    deliveries.recordDelivered("a", 1, true);
    await pass(60_000);
    expect(told.length).toBeGreaterThan(2);
    expect(told.length).toBeLessThan(8);
    away(false);
    deliveries.recordDelivered("a", 2, true);
    await pass(40_000);
    expect(told.at(-1)).toEqual({ a: 2 });
    const count = told.length;
    await pass(60_000);
    expect(told).toHaveLength(count);
  });

  test("closing reports what is left, once, and schedules no further report", async () => {
    const { deliveries, told } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.close();
    expect(told).toEqual([{ a: 1 }]);
    await pass(60_000);
    expect(told).toHaveLength(1);
  });

  test("nothing is reported for someone who is no longer a member", async () => {
    const { deliveries, told } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.recordDelivered("b", 1, true);
    deliveries.forget("a");
    await pass(1000);
    expect(told).toEqual([{ b: 1 }]);
  });
});

describe("positions", () => {
  function listener(isSubscribed: boolean) {
    const told: unknown[] = [];
    const emit = (event: string, data: unknown) => told.push([event, data]);
    // eslint-disable-next-line no-restricted-syntax -- no more than this is asked of a socket
    const socket = { data: { isSubscribed }, emit } as unknown as RoomSocket;
    return { socket, told };
  }

  test("each subscribed socket gets the positions of its own chats that changed, and no event if none did", () => {
    const [a, b, idle, joiner] = [listener(true), listener(true), listener(true), listener(false)];
    const room = (chatId: string, seq: number | undefined, ...of: { socket: RoomSocket }[]) => ({
      chatId,
      unreportedPosition: () => (seq === undefined ? undefined : { seq, sockets: of.map(({ socket }) => socket) }),
    });
    emitPositions([room("one", 4, a, joiner), room("two", 7, a, b), room("three", undefined, a, b, idle)]);
    expect(a.told).toEqual([["positions", { one: 4, two: 7 }]]);
    expect(b.told).toEqual([["positions", { two: 7 }]]);
    expect(idle.told).toEqual([]);
    expect(joiner.told).toEqual([]);
  });
});

describe("known memberships", () => {
  const chatId = "chat";
  const joined = (joinedSeq: number) => ({ chatId, joinedSeq });
  const left = (leftSeq: number) => ({ chatId, leftSeq });

  test("a join is new once, and so is a leave", () => {
    const told = new KnownMemberships();
    expect([told.recordJoin(joined(1)), told.recordJoin(joined(1))]).toEqual(["new", "known"]);
    expect([told.recordLeave(left(5)), told.recordLeave(left(5))]).toEqual(["new", "known"]);
    expect([told.recordJoin(joined(1)), told.recordJoin(joined(9))]).toEqual(["known", "new"]);
  });

  test('a second join without the leave between them is reported as "again", and the late leave changes nothing', () => {
    const told = new KnownMemberships();
    told.recordJoin(joined(1));
    expect(told.recordJoin(joined(9))).toBe("again");
    expect(told.recordLeave(left(5))).toBe("known");
    expect(told.isMember(chatId, 9)).toBe(true);
  });

  test("a leave that arrives before its join makes the join known", () => {
    const told = new KnownMemberships();
    told.recordJoin(joined(1));
    told.recordLeave(left(5));
    expect(told.recordLeave(left(12))).toBe("known");
    expect(told.recordJoin(joined(9))).toBe("known");
    expect(told.hasLeft(chatId)).toBe(true);
  });

  test("a leave of an unknown chat is reported as unknown", () => {
    const told = new KnownMemberships();
    expect(told.hasLeft(chatId)).toBe(false);
    expect([told.recordLeave(left(5)), told.recordLeave(left(5))]).toEqual(["unknown", "known"]);
  });
});
