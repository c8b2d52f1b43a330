/** What was refused one at a time comes again, in another order and many at once: first alone, then while people go about their day. */
import type { Callers } from "../calls/callers.ts";
import type { RefusedCall, FuzzRound } from "./round.ts";
import { shuffled } from "../calls/invalid-payloads.ts";
import { views } from "../checks/views.ts";

const atOnce = 16;
const inBurst = 250;

/** @param refused  gathered by other parts */
export async function bursts(round: FuzzRound, refused: readonly RefusedCall[]): Promise<void> {
  const chance = round.random("bursts");
  const cast = await round.currentCallers();
  const calls = shuffled(chance, refused);
  for (let from = 0; from < calls.length; from += inBurst) {
    const burst = calls.slice(from, from + inBurst);
    if ((from / inBurst) % 3 === 2) await all(round, burst, () => cast.changeSomething(chance));
    else await alone(round, cast, burst);
    await socketBurst(round, cast);
  }
}

/** Nothing is taken, so nothing may change. */
async function alone(round: FuzzRound, cast: Callers, burst: readonly RefusedCall[]): Promise<void> {
  await round.recordBaseline();
  const before = await views(cast);
  const taken = await all(round, burst);
  if (taken > 0) return;
  await round.checkUnchanged("a burst", () => `${burst.length} refused calls at once`);
  if ((await views(cast)) !== before)
    round.verdict.found(round.part, "stored", "a burst", "people see something else after refused calls alone");
}

/** @returns how many were taken after all */
async function all(round: FuzzRound, burst: readonly RefusedCall[], meanwhile?: () => Promise<void>): Promise<number> {
  const waiting = [...burst];
  let taken = 0;
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const answer = await round.call(next.call, next.role);
      if (answer !== undefined && answer.status < 400 && next.call.method !== "GET") taken++;
      if (waiting.length % 50 === 0) await meanwhile?.();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return taken;
}

/** Many events at once without a callback: the socket goes on, and so does another one. */
async function socketBurst(round: FuzzRound, { user, stranger }: Callers): Promise<void> {
  const [line, other] = await Promise.all([stranger.connect(), user.connect()]);
  for (let i = 0; i < 300; i++) line.socket.emit(round.sockets.clientEvents[i % round.sockets.clientEvents.length]!, { surprise: i });
  for (const each of [line, other]) {
    const ack = await each.call("sync", { since: {} }).catch((error: unknown) => error);
    if ((ack as { ok?: unknown }).ok !== true) round.verdict.found(round.part, "silent", "a burst of events", String(ack));
    each.close();
  }
}
