/** Contacts and blocks: ending the one, putting and lifting the other. Neither is announced to the other person. */
import { call, type Ctx } from "../../../core/contract/call.ts";
import { Invalid, NotFound } from "../../../core/errors.ts";
import { auth } from "../../auth/contract.ts";
import { applyInChats, tryApplyInChats } from "./apply-in-chats.ts";
import { changePair, type FindPair } from "./change-pair.ts";
import type { ContactRequestContext } from "../context.ts";
import { requestOfPair } from "../requests.repository.ts";

/**
 * Ends a contact; what has ended is only told to chat again.
 * @throws NotFound     the two never were contacts
 * @throws Unavailable  ended, but chat could not be told: may be repeated
 */
export async function endContact(context: ContactRequestContext, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  await applyInChats(context, ctx, await changePair(context, "end", actor, findWith(context, actor, other)));
}

/**
 * Blocks someone; whom one has blocked already is only told to chat again.
 * @throws Invalid      oneself
 * @throws NotFound     no such person
 * @throws Unavailable  blocked, but chat could not be told: may be repeated
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

/** @throws NotFound  not blocked by the actor; whether the other one blocks makes no difference */
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
