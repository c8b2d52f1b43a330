/**
 * Applies a changed relation in chat within the call that changed it, so that it is in force when the call returns. The durable event
 * applies the same state later, even if chat is down now. Chat keeps the highest `rev`, so neither undoes the other.
 */
import { call, type Ctx } from "../../../core/contract/call.ts";
import { Unavailable } from "../../../core/errors.ts";
import { chat } from "../../chat/contract.ts";
import type { Relation } from "../contract.ts";
import type { ContactRequestContext } from "../context.ts";

/** Timeout of one attempt. Two fit into the caller's timeout. */
const applyTimeoutMs = 4000;
const tryApplyTimeoutMs = 2000;

/**
 * Applies the loss of a right. Returns once every chat enforces it.
 * @throws Unavailable  chat did not answer; the change is stored, and a repeat applies it again
 */
export async function applyInChats({ log }: ContactRequestContext, ctx: Ctx<unknown>, { pair, state, rev }: Relation): Promise<void> {
  try {
    await call(ctx, chat.applyRelation, { pair, state, rev }, { timeout: applyTimeoutMs });
  } catch (error) {
    log.warn({ err: error }, "Could not apply a relation in chat");
    throw new Unavailable("Saved, but not yet applied to chats: try again");
  }
}

/** Applies a new right. A failure only causes a delay, because chat asks request before it refuses. */
export async function tryApplyInChats({ log }: ContactRequestContext, ctx: Ctx<unknown>, { pair, state, rev }: Relation): Promise<void> {
  try {
    await call(ctx, chat.applyRelation, { pair, state, rev }, { timeout: tryApplyTimeoutMs, retries: 0 });
  } catch (error) {
    log.debug({ err: error }, "Could not apply a relation in chat; its event applies it later");
  }
}
