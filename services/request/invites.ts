/** Invites: what each act does to the pair, and who is told of it. */
import type { Ctx } from "../../core/contract/call.ts";
import { Invalid, NotFound } from "../../core/errors.ts";
import { userChannel, type UserNote } from "../user-notes.ts";
import type { ContactRequest } from "./contract.ts";
import { personByEmail } from "./directory.ts";
import { hasten } from "./enforcement.ts";
import { changePair, type Find, type Keeping } from "./pairs.ts";
import * as present from "./present.ts";
import { nobodyThere } from "./relations.ts";
import { requestOfPair, requests } from "./requests.repository.ts";

const greeting = "Hi, I would like to add you to my contacts.";

/**
 * Asks for contact, or accepts the other's pending invite.
 * @throws Invalid   one's own address
 * @throws NotFound  an unknown address, or someone who blocked the sender
 * @throws Conflict  asked already, contacts already, or declined less than a day ago
 */
export async function invite(
  keeping: Keeping,
  ctx: Ctx<unknown>,
  actor: string,
  { toEmail, message }: { readonly toEmail: string; readonly message?: string | null | undefined },
): Promise<ContactRequest> {
  const other = await personByEmail(keeping.db, ctx, toEmail);
  if (other === undefined) throw new NotFound(nobodyThere);
  if (other === actor) throw new Invalid("This is your own address", [{ field: "toEmail", message: "must be someone else's" }]);
  const find = async () => ({ row: await requestOfPair(keeping.db, actor, other), other });
  const row = await changePair(keeping, "invite", actor, find, message ?? greeting);
  const data = present.contactRequest(row);
  if (row.state === "pending") {
    note(keeping, [other], { event: "requestReceived", data });
  } else {
    await hasten(keeping, ctx, row);
    note(keeping, [actor, other], { event: "requestAnswered", data });
  }
  return data;
}

/** @throws NotFound  not there, not one's to answer, or answered: the three can't be told apart from outside */
export async function respond(
  keeping: Keeping,
  ctx: Ctx<unknown>,
  actor: string,
  { requestId, status }: { readonly requestId: string; readonly status: "accepted" | "rejected" },
): Promise<ContactRequest> {
  const row = await changePair(keeping, status === "accepted" ? "accept" : "reject", actor, byId(keeping, actor, requestId));
  const data = present.contactRequest(row);
  // Before the note: whoever hears of the contact may write at once.
  if (row.state === "accepted") await hasten(keeping, ctx, row);
  note(keeping, [row.fromUserId], { event: "requestAnswered", data });
  return data;
}

/**
 * @throws NotFound   no such invite, or not one's to see
 * @throws Forbidden  the recipient's attempt
 * @throws Conflict   answered already
 */
export async function cancel(keeping: Keeping, actor: string, requestId: string): Promise<void> {
  await changePair(keeping, "cancel", actor, byId(keeping, actor, requestId));
}

const byId =
  ({ db }: Keeping, actor: string, requestId: string): Find =>
  async () => {
    const row = await db.get(requests, requestId);
    if (row === undefined || (row.fromUserId !== actor && row.toUserId !== actor)) throw new NotFound("There is no such request");
    return { row, other: row.fromUserId === actor ? row.toUserId : row.fromUserId };
  };

function note({ feed }: Keeping, userIds: readonly string[], what: UserNote): void {
  for (const userId of userIds) feed.publish(userChannel(userId), what);
}
