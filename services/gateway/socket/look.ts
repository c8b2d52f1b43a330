/**
 * The look that makes up for the feed: Redis may lose messages, so every 2 s a mesh gateway asks which heads and memberships
 * changed lately, and its rooms fetch what they did not hear. After a silence, a stall of its own or an interruption of the
 * feed it compares everything.
 */
import type { Logger, ServiceBroker } from "moleculer";
import { call } from "../../../core/call.ts";
import { chat } from "../../chat/contract.ts";
import type { Live } from "./live.ts";

/** `slackMs` covers commits whose store time is older than their becoming visible. */
const every = { lookMs: 2000, slackMs: 15_000 } as const;
/** After so long without an answer, or such a stall, the last look's time says too little. */
const silenceMs = 30_000;
const stallMs = 10_000;
/** Chats compared in one call. */
const compared = 1000;

export interface Look {
  /** Compares everything at the next look. */
  compareAll(): void;
  stop(): void;
}

export function startLooking(broker: ServiceBroker, live: Live, log: Logger): Look {
  let since: number | undefined;
  let lookedAt = Date.now();
  let answeredAt = Date.now();
  let timer: NodeJS.Timeout;
  let isStopped = false;

  const look = async () => {
    const now = Date.now();
    if (now - answeredAt > silenceMs || now - lookedAt > stallMs) since = undefined;
    lookedAt = now;
    try {
      since = since === undefined ? await compareWhole(broker, live) : await compareMoved(broker, live, since);
      answeredAt = Date.now();
    } catch (error) {
      log.debug(`The look for missed changes got no answer: ${(error as Error).message}`);
    }
    if (!isStopped) timer = setTimeout(() => void look(), every.lookMs);
  };
  timer = setTimeout(() => void look(), every.lookMs);
  return {
    compareAll() {
      since = undefined;
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** @returns the store time to look from next */
async function compareMoved(broker: ServiceBroker, live: Live, since: number): Promise<number> {
  let page = await call(broker, chat.moved, { since });
  const { at } = page;
  for (;;) {
    for (const { chatId, seq } of page.heads) live.rooms.get(chatId)?.reach(seq);
    for (const membership of page.memberships) {
      if (membership.leftSeq === null && live.unseated(membership).length > 0) await live.welcome(membership);
    }
    if (page.next === undefined) return at - every.slackMs;
    page = await call(broker, chat.moved, { since, cursor: page.next });
  }
}

async function compareWhole(broker: ServiceBroker, live: Live): Promise<number> {
  const { at } = await call(broker, chat.moved, { since: Number.MAX_SAFE_INTEGER });
  const chatIds = live.rooms.all().map(({ chatId }) => chatId);
  for (let from = 0; from < chatIds.length; from += compared) {
    const heads = await call(broker, chat.heads, { chatIds: chatIds.slice(from, from + compared) });
    for (const { chatId, seq } of heads) live.rooms.get(chatId)?.reach(seq);
  }
  for (const userId of live.subscribers()) {
    for (const membership of await call(broker, chat.memberships, { userId })) {
      if (live.unseated(membership).length > 0) await live.welcome(membership);
    }
  }
  return at - every.slackMs;
}
