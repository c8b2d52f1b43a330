/** Ends contacts, and sets and lifts blocks. The other user is never notified. */
import { call, type Ctx } from "../../../core/contract/call.ts";
import { Invalid, NotFound } from "../../../core/errors.ts";
import { auth } from "../../auth/contract.ts";
import { applyInChats, tryApplyInChats } from "./apply-in-chats.ts";
import { changePair, type FindPair } from "./change-pair.ts";
import type { ContactRequestContext } from "../context.ts";
import { requestOfPair } from "../requests.repository.ts";

/**
 * Ends a contact. If it has already ended, only applies this in chat again.
 * @throws NotFound     the two users were never contacts
 * @throws Unavailable  ended, but not yet applied in chat: may be repeated
 */
export async function endContact(context: ContactRequestContext, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  await applyInChats(context, ctx, await changePair(context, "end", actor, findWith(context, actor, other)));
}

/**
 * Blocks a user. If already blocked, only applies this in chat again.
 * @throws Invalid      the caller themselves
 * @throws NotFound     no such user
 * @throws Unavailable  blocked, but not yet applied in chat: may be repeated
 */
export async function blockPerson(context: ContactRequestContext, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  if (other === actor) throw new Invalid("This is yourself", [{ field: "userId", message: "must be someone else's" }]);
  const findPair = findWith(context, actor, other);
  const find: FindPair = async () => {
    const found = await findPair();
    if (found.row === undefined) await requirePerson(ctx, other);
    return found;
  };
  await applyInChats(context, ctx, await changePair(context, "block", actor, find));
}

/** @throws NotFound  not blocked by the caller, whether or not the other user blocks them */
export async function unblockPerson(context: ContactRequestContext, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  await tryApplyInChats(context, ctx, await changePair(context, "unblock", actor, findWith(context, actor, other)));
}

const findWith =
  ({ db }: ContactRequestContext, actor: string, other: string): FindPair =>
  async () => ({ row: await requestOfPair(db, actor, other), other });

async function requirePerson(ctx: Ctx<unknown>, userId: string): Promise<void> {
  const [account] = await call(ctx, auth.accounts, { userIds: [userId] });
  if (account === undefined) throw new NotFound("There is no such person");
}
