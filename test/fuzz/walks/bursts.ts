/** Repeats refused calls in random order and concurrently: first alone, then while users make valid changes. */
import type { Callers } from "../calls/callers.ts";
import type { RefusedCall, FuzzRound } from "./round.ts";
import { shuffled } from "../calls/invalid-payloads.ts";
import { views } from "../checks/views.ts";

const concurrency = 16;
const burstSize = 250;

/** @param refused  calls that other parts found to be refused */
export async function bursts(round: FuzzRound, refused: readonly RefusedCall[]): Promise<void> {
  const random = round.random("bursts");
  const callers = await round.currentCallers();
  const calls = shuffled(random, refused);
  for (let from = 0; from < calls.length; from += burstSize) {
    const burst = calls.slice(from, from + burstSize);
    if ((from / burstSize) % 3 === 2) await sendAll(round, burst, () => callers.changeSomething(random));
    else await sendAlone(round, callers, burst);
    await socketBurst(round, callers);
  }
}

/** Sends a burst and nothing else. If all calls are refused, nothing may change. */
async function sendAlone(round: FuzzRound, callers: Callers, burst: readonly RefusedCall[]): Promise<void> {
  await round.recordBaseline();
  const before = await views(callers);
  const succeeded = await sendAll(round, burst);
  if (succeeded > 0) return;
  await round.checkUnchanged("a burst", () => `${burst.length} concurrent refused calls`);
  if ((await views(callers)) !== before)
    round.verdict.found(round.part, "stored", "a burst", "users see a change after nothing but refused calls");
}

/** @returns how many calls succeeded */
async function sendAll(round: FuzzRound, burst: readonly RefusedCall[], meanwhile?: () => Promise<void>): Promise<number> {
  const waiting = [...burst];
  let succeeded = 0;
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const answer = await round.call(next.call, next.role);
      if (answer !== undefined && answer.status < 400 && next.call.method !== "GET") succeeded++;
      if (waiting.length % 50 === 0) await meanwhile?.();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return succeeded;
}

/** Emits many events without a callback. Afterwards this socket and another one must still work. */
async function socketBurst(round: FuzzRound, { user, stranger }: Callers): Promise<void> {
  const [line, other] = await Promise.all([stranger.connect(), user.connect()]);
  for (let i = 0; i < 300; i++) line.socket.emit(round.sockets.clientEvents[i % round.sockets.clientEvents.length]!, { surprise: i });
  for (const each of [line, other]) {
    const ack = await each.call("sync", { since: {} }).catch((error: unknown) => error);
    if ((ack as { ok?: unknown }).ok !== true) round.verdict.found(round.part, "silent", "a burst of events", String(ack));
    each.close();
  }
}
