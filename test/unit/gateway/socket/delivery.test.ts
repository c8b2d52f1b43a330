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
    const reports: Readonly<Record<string, number>>[] = [];
    let isAway = false;
    const deliveries = new DeliveredWatermarks((marks) => {
      reports.push(marks);
      return isAway ? Promise.reject(new Error("away")) : Promise.resolve();
    });
    return { deliveries, reports, away: (is: boolean) => (isAway = is) };
  }
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  test("the first is reported quickly, and later ones together every two seconds", async () => {
    const { deliveries, reports } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.recordDelivered("b", 1, true);
    await pass(150);
    expect(reports).toEqual([{ a: 1, b: 1 }]);
    for (let n = 2; n <= 1000; n++) {
      deliveries.recordDelivered("a", n, true);
      await pass(10);
    }
    await pass(2000);
    expect(reports.length).toBeLessThanOrEqual(1 + 10 / 2 + 1);
    expect(reports.at(-1)).toEqual({ a: 1000 });
  });

  test("nothing that chat already has is reported, and nothing is reported twice", async () => {
    const { deliveries, reports } = chatOf();
    deliveries.recordStored("a", 5);
    deliveries.recordDelivered("a", 5, true);
    deliveries.recordDelivered("b", 5, true);
    await pass(5000);
    deliveries.recordDelivered("b", 5, true);
    await pass(5000);
    expect(reports).toEqual([{ b: 5 }]);
  });

  test("a user's own messages alone cause no report, but are included in the next one", async () => {
    const { deliveries, reports } = chatOf();
    for (let n = 1; n <= 50; n++) deliveries.recordDelivered("a", n, false);
    await pass(5000);
    expect(reports).toEqual([]);
    deliveries.recordDelivered("b", 50, true);
    await pass(5000);
    expect(reports).toEqual([{ a: 50, b: 50 }]);
  });

  test("a failed report is repeated with growing delays, one call at a time", async () => {
    const { deliveries, reports, away } = chatOf();
    away(true);
    deliveries.recordDelivered("a", 1, true);
    await pass(60_000);
    expect(reports.length).toBeGreaterThan(2);
    expect(reports.length).toBeLessThan(8);
    away(false);
    deliveries.recordDelivered("a", 2, true);
    await pass(40_000);
    expect(reports.at(-1)).toEqual({ a: 2 });
    const count = reports.length;
    await pass(60_000);
    expect(reports).toHaveLength(count);
  });

  test("closing reports what is left, once, and schedules no further report", async () => {
    const { deliveries, reports } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.close();
    expect(reports).toEqual([{ a: 1 }]);
    await pass(60_000);
    expect(reports).toHaveLength(1);
  });

  test("nothing is reported for someone who is no longer a member", async () => {
    const { deliveries, reports } = chatOf();
    deliveries.recordDelivered("a", 1, true);
    deliveries.recordDelivered("b", 1, true);
    deliveries.forget("a");
    await pass(1000);
    expect(reports).toEqual([{ b: 1 }]);
  });
});

describe("positions", () => {
  function listener(isSubscribed: boolean) {
    const emitted: unknown[] = [];
    const emit = (event: string, data: unknown) => emitted.push([event, data]);
    // eslint-disable-next-line no-restricted-syntax -- nothing else of a socket is used
    const socket = { data: { isSubscribed }, emit } as unknown as RoomSocket;
    return { socket, emitted };
  }

  test("each subscribed socket gets the positions of its own chats that changed, and no event if none did", () => {
    const [a, b, idle, joiner] = [listener(true), listener(true), listener(true), listener(false)];
    const room = (chatId: string, seq: number | undefined, ...of: { socket: RoomSocket }[]) => ({
      chatId,
      unreportedPosition: () => (seq === undefined ? undefined : { seq, sockets: of.map(({ socket }) => socket) }),
    });
    emitPositions([room("one", 4, a, joiner), room("two", 7, a, b), room("three", undefined, a, b, idle)]);
    expect(a.emitted).toEqual([["positions", { one: 4, two: 7 }]]);
    expect(b.emitted).toEqual([["positions", { two: 7 }]]);
    expect(idle.emitted).toEqual([]);
    expect(joiner.emitted).toEqual([]);
  });
});

describe("known memberships", () => {
  const chatId = "chat";
  const joined = (joinedSeq: number) => ({ chatId, joinedSeq });
  const left = (leftSeq: number) => ({ chatId, leftSeq });

  test("a join is new once, and so is a leave", () => {
    const memberships = new KnownMemberships();
    expect([memberships.recordJoin(joined(1)), memberships.recordJoin(joined(1))]).toEqual(["new", "known"]);
    expect([memberships.recordLeave(left(5)), memberships.recordLeave(left(5))]).toEqual(["new", "known"]);
    expect([memberships.recordJoin(joined(1)), memberships.recordJoin(joined(9))]).toEqual(["known", "new"]);
  });

  test('a second join without the leave between them is reported as "again", and the late leave changes nothing', () => {
    const memberships = new KnownMemberships();
    memberships.recordJoin(joined(1));
    expect(memberships.recordJoin(joined(9))).toBe("again");
    expect(memberships.recordLeave(left(5))).toBe("known");
    expect(memberships.isMember(chatId, 9)).toBe(true);
  });

  test("a leave that arrives before its join makes the join known", () => {
    const memberships = new KnownMemberships();
    memberships.recordJoin(joined(1));
    memberships.recordLeave(left(5));
    expect(memberships.recordLeave(left(12))).toBe("known");
    expect(memberships.recordJoin(joined(9))).toBe("known");
    expect(memberships.hasLeft(chatId)).toBe(true);
  });

  test("a leave of an unknown chat is reported as unknown", () => {
    const memberships = new KnownMemberships();
    expect(memberships.hasLeft(chatId)).toBe(false);
    expect([memberships.recordLeave(left(5)), memberships.recordLeave(left(5))]).toEqual(["unknown", "known"]);
  });
});
