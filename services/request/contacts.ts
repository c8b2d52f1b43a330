/** Contacts and blocks: ending the one, putting and lifting the other. Neither is announced to the other person. */
import { call, type Ctx } from "../../core/contract/call.ts";
import { Invalid, NotFound } from "../../core/errors.ts";
import { auth } from "../auth/contract.ts";
import { enforce, hasten } from "./enforcement.ts";
import { changePair, type Find, type Keeping } from "./pairs.ts";
import { requestOfPair } from "./requests.repository.ts";

/**
 * Ends a contact; what has ended is only told to chat again.
 * @throws NotFound     the two never were contacts
 * @throws Unavailable  ended, but chat could not be told: may be repeated
 */
export async function end(keeping: Keeping, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  await enforce(keeping, ctx, await changePair(keeping, "end", actor, withPerson(keeping, actor, other)));
}

/**
 * Blocks someone; whom one has blocked already is only told to chat again.
 * @throws Invalid      oneself
 * @throws NotFound     no such person
 * @throws Unavailable  blocked, but chat could not be told: may be repeated
 */
export async function block(keeping: Keeping, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  if (other === actor) throw new Invalid("This is yourself", [{ field: "userId", message: "must be someone else's" }]);
  const stands = withPerson(keeping, actor, other);
  const find: Find = async () => {
    const found = await stands();
    if (found.row === undefined) await refuseUnknown(ctx, other);
    return found;
  };
  await enforce(keeping, ctx, await changePair(keeping, "block", actor, find));
}

/** @throws NotFound  not blocked by the actor; whether the other one blocks makes no difference */
export async function unblock(keeping: Keeping, ctx: Ctx<unknown>, actor: string, other: string): Promise<void> {
  await hasten(keeping, ctx, await changePair(keeping, "unblock", actor, withPerson(keeping, actor, other)));
}

const withPerson =
  ({ db }: Keeping, actor: string, other: string): Find =>
  async () => ({ row: await requestOfPair(db, actor, other), other });

async function refuseUnknown(ctx: Ctx<unknown>, userId: string): Promise<void> {
  const [account] = await call(ctx, auth.accounts, { userIds: [userId] });
  if (account === undefined) throw new NotFound("There is no such person");
}
