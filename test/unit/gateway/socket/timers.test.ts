/** Tests when the gateway emits positions, and when a user's typing ends by itself. */
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { startEmittingPositions } from "../../../../services/gateway/socket/delivery/positions.ts";
import { TypingIndicators, type TypingNote } from "../../../../services/gateway/socket/rooms/typing-indicators.ts";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe("positions", () => {
  const countRounds = (intervalMs?: number) => {
    let rounds = 0;
    const stop = startEmittingPositions(() => {
      rounds++;
      return [];
    }, intervalMs);
    return { rounds: () => rounds, stop };
  };

  test("are emitted every 25 seconds, until stopped", () => {
    const { rounds, stop } = countRounds();
    jest.advanceTimersByTime(24_999);
    expect(rounds()).toBe(0);
    jest.advanceTimersByTime(1);
    expect(rounds()).toBe(1);
    jest.advanceTimersByTime(75_000);
    expect(rounds()).toBe(4);
    stop();
    jest.advanceTimersByTime(75_000);
    expect(rounds()).toBe(4);
  });

  test("are emitted at another interval if one is given", () => {
    const { rounds, stop } = countRounds(100);
    jest.advanceTimersByTime(1000);
    expect(rounds()).toBe(10);
    stop();
  });
});

describe("a typing indicator", () => {
  const indicators = () => {
    const emitted: TypingNote[] = [];
    return { emitted, typing: new TypingIndicators((note) => emitted.push(note)) };
  };
  const starts = (userId: string): TypingNote => ({ userId, isTyping: true });
  const ends = (userId: string): TypingNote => ({ userId, isTyping: false });

  test("ends six seconds after the user's last report, once", () => {
    const { emitted, typing } = indicators();
    typing.update(starts("ada"));
    jest.advanceTimersByTime(5999);
    expect(emitted).toEqual([starts("ada")]);
    jest.advanceTimersByTime(1);
    expect(emitted).toEqual([starts("ada"), ends("ada")]);
    jest.advanceTimersByTime(60_000);
    expect(emitted).toHaveLength(2);
  });

  test("stays while the user goes on reporting, and each user's ends by itself", () => {
    const { emitted, typing } = indicators();
    typing.update(starts("ben"));
    for (let second = 0; second < 20; second += 5) {
      typing.update(starts("ada"));
      jest.advanceTimersByTime(5000);
    }
    expect(emitted).toEqual([starts("ben"), starts("ada"), ends("ben")]);
    jest.advanceTimersByTime(1000);
    expect(emitted.at(-1)).toEqual(ends("ada"));
  });

  test("can start again after it has ended", () => {
    const { emitted, typing } = indicators();
    typing.update(starts("ada"));
    jest.advanceTimersByTime(6000);
    typing.update(starts("ada"));
    expect(emitted).toEqual([starts("ada"), ends("ada"), starts("ada")]);
    typing.close();
  });

  test("emits nothing after it is closed", () => {
    const { emitted, typing } = indicators();
    typing.update(starts("ada"));
    typing.close();
    jest.advanceTimersByTime(60_000);
    expect(emitted).toEqual([starts("ada")]);
  });
});
