/**
 * How two people stand now, told to chat in the call that changed it, so that it holds when that call is answered. The durable
 * event says the same, at the latest when chat is back; chat keeps the highest rev, so neither undoes the other.
 */
import { call, type Ctx } from "../../../core/contract/call.ts";
import { Unavailable } from "../../../core/errors.ts";
import { chat } from "../../chat/contract.ts";
import type { Relation } from "../contract.ts";
import type { ContactRequestContext } from "../context.ts";

/** An attempt's time: two fit into what the caller waits. */
const applyTimeoutMs = 4000;
const tryApplyTimeoutMs = 2000;

/**
 * For what takes a right away: answered only when no chat grants it any more.
 * @throws Unavailable  chat could not be told; the change stands, and a repeat tells it again
 */
export async function applyInChats({ log }: ContactRequestContext, ctx: Ctx<unknown>, { pair, state, rev }: Relation): Promise<void> {
  try {
    await call(ctx, chat.applyRelation, { pair, state, rev }, { timeout: applyTimeoutMs });
  } catch (error) {
    log.warn({ err: error }, "Chat could not be told how two people stand");
    throw new Unavailable("It is noted, but not in force in chats yet: try again");
  }
}

/** For what gives a right: chat asks by itself before it refuses someone, so a failure is no more than a delay. */
export async function tryApplyInChats({ log }: ContactRequestContext, ctx: Ctx<unknown>, { pair, state, rev }: Relation): Promise<void> {
  try {
    await call(ctx, chat.applyRelation, { pair, state, rev }, { timeout: tryApplyTimeoutMs, retries: 0 });
  } catch (error) {
    log.debug({ err: error }, "Chat will learn from the event how two people stand");
  }
}
