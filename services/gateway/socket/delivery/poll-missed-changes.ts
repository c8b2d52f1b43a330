/**
 * Polls for changes that the feed may have lost. Redis may lose messages, so every 2 s a mesh gateway reads which heads and
 * memberships have changed since the last answered poll, and its rooms fetch what they missed. That covers every loss, however long a
 * silence, a stall or an outage of the feed lasted.
 */
import type { Logger, ServiceBroker } from "moleculer";
import { call } from "../../../../core/contract/call.ts";
import { counter } from "../../../../core/metrics/declare.ts";
import { chat, type Membership } from "../../../chat/contract.ts";
import type { LiveDelivery } from "./delivery.ts";

/** `slackMs` covers commits that become visible later than their store time. */
const pollTimes = { everyMs: 2000, slackMs: 15_000 } as const;

const polls = counter("parley_missed_change_polls_total", "Polls for changes that the feed may have lost", ["result"]);

/**
 * Compares the changes since a store time with what this gateway's rooms and sockets have received, and makes up for what they
 * missed.
 * @returns the store time of this poll
 */
export async function pollMissedChanges(
  broker: ServiceBroker,
  delivery: LiveDelivery,
  log: Pick<Logger, "debug">,
  since: number,
): Promise<number> {
  const announceJoin = (membership: Membership) =>
    delivery.notes
      .announceMissedJoin(membership)
      .catch((error: unknown) => log.debug(`A missed note is left to the next poll: ${(error as Error).message}`));

  let cursor: string | undefined;
  let at: number | undefined;
  do {
    const page = await call(broker, chat.moved, { since, ...(cursor === undefined ? {} : { cursor }) });
    at ??= page.at;
    for (const { chatId, seq } of page.heads) delivery.rooms.get(chatId)?.fetchUpTo(seq, "poll");
    for (const membership of page.memberships) {
      const { leftSeq } = membership;
      if (leftSeq === null) await announceJoin(membership);
      else delivery.notes.announceMissedLeave({ ...membership, leftSeq });
    }
    cursor = page.next;
  } while (cursor !== undefined);
  return at;
}

/** @returns stops polling */
export function startPolling(broker: ServiceBroker, delivery: LiveDelivery, log: Logger): () => void {
  /** Store time. Before the first answer, nothing can have been missed. */
  let since = Number.MAX_SAFE_INTEGER;
  let timer: NodeJS.Timeout;
  let isStopped = false;

  const pollAgain = async () => {
    try {
      since = (await pollMissedChanges(broker, delivery, log, since)) - pollTimes.slackMs;
      polls.of(broker).inc({ result: "answered" });
    } catch (error) {
      polls.of(broker).inc({ result: "failed" });
      log.debug(`The poll for missed changes failed: ${(error as Error).message}`);
    }
    if (!isStopped) timer = setTimeout(() => void pollAgain(), pollTimes.everyMs);
  };
  timer = setTimeout(() => void pollAgain(), 0);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
