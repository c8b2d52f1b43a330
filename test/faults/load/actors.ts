/** Sends messages at a steady pace as one user of a storm, and changes messages; records each acknowledgement in the ledger. */
import { setTimeout as pause } from "node:timers/promises";
import { ParleyError } from "../../../client/index.ts";
import { randomChange, type ChangingAction } from "../../support/client/message-changes.ts";
import type { StormClient } from "../target/fault.ts";
import type { Ledger } from "./ledger.ts";

export interface StormActor extends StormClient {
  readonly ledger: Ledger;
  /** The changes of messages that it makes. */
  readonly actions: readonly ChangingAction[];
  readonly over: AbortSignal;
}

/** With 50 users, about 80 changes a second: less than two cores can serve, because the test measures the fault, not the load. */
const sendEveryMs = 1000;
const changeEveryMs = 1500;
/** A user with this many unacknowledged messages does not send more. */
const maxUnacknowledged = 5;
/** Changes are made to the newest messages only, so that several users change the same ones. */
const recent = 30;

/** Acts until `over` is aborted. Resolves when every operation was answered or given up. */
export async function runActor(actor: StormActor): Promise<void> {
  const sends: Promise<void>[] = [];
  await Promise.all([sending(actor, sends), changing(actor)]);
  await Promise.all(sends);
}

/** @returns false when the storm is over */
const nextTurn = (ms: number, over: AbortSignal): Promise<boolean> => pause(ms, true, { signal: over }).catch(() => false);

const from = <T>(all: readonly T[]): T | undefined => all[Math.floor(Math.random() * all.length)];

async function sending({ parley, chatIds, ledger, over }: StormActor, sends: Promise<void>[]): Promise<void> {
  let waiting = 0;
  await nextTurn(Math.random() * sendEveryMs, over);
  for (let i = 0; !over.aborted; i++) {
    if (waiting < maxUnacknowledged) {
      const view = parley.send(chatIds[i % chatIds.length]!, `message ${i}`);
      const sent = ledger.send(view);
      waiting++;
      const outcome = parley.stored(view).then(
        () => ledger.stored(sent),
        (error: unknown) => void ledger.refused.push((error as ParleyError).code),
      );
      sends.push(outcome.finally(() => waiting--));
    }
    await nextTurn(sendEveryMs * (0.9 + 0.2 * Math.random()), over);
  }
}

async function changing({ parley, chatIds, ledger, actions, over }: StormActor): Promise<void> {
  while (await nextTurn(changeEveryMs * (0.5 + Math.random()), over)) {
    const stored = parley.messages(from(chatIds)!).filter(({ n, kind, deletedAt }) => n > 0 && kind === "text" && deletedAt === null);
    const change = randomChange(parley, stored.slice(-recent), Math.random, { actions });
    if (change === undefined) continue;
    try {
      await ledger.change(change);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      // Expected: the message was deleted a moment ago, or the call got no answer and may or may not have taken effect.
      if (error.code === "INTERNAL" || error.code === "VALIDATION") ledger.refused.push(error.code);
    }
  }
}
