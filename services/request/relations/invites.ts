/** Sends, answers and withdraws invites, and notifies the other user. */
import type { Ctx } from "../../../core/contract/call.ts";
import { Invalid, NotFound } from "../../../core/errors.ts";
import { userChannel, type UserNote } from "../../user-notes.ts";
import type { ContactRequest } from "../contract.ts";
import { personByEmail } from "../email-directory.ts";
import { tryApplyInChats } from "./apply-in-chats.ts";
import { changePair, type FindPair } from "./change-pair.ts";
import type { ContactRequestContext } from "../context.ts";
import * as present from "../present.ts";
import { unknownAddressMessage } from "./transitions.ts";
import { requestOfPair, requests } from "../requests.repository.ts";

const defaultMessage = "Hi, I would like to add you to my contacts.";

/**
 * Sends an invite, or accepts the other user's pending one.
 * @throws Invalid   the caller's own address
 * @throws NotFound  an unknown address, or a user who blocked the sender
 * @throws Conflict  already invited, already a contact, or rejected less than a day ago
 */
export async function invite(
  context: ContactRequestContext,
  ctx: Ctx<unknown>,
  actor: string,
  { toEmail, message }: { readonly toEmail: string; readonly message?: string | null | undefined },
): Promise<ContactRequest> {
  const other = await personByEmail(context.db, ctx, toEmail);
  if (other === undefined) throw new NotFound(unknownAddressMessage);
  if (other === actor) throw new Invalid("This is your own address", [{ field: "toEmail", message: "must be someone else's" }]);
  const find = async () => ({ row: await requestOfPair(context.db, actor, other), other });
  const row = await changePair(context, "invite", actor, find, message ?? defaultMessage);
  const data = present.contactRequest(row);
  if (row.state === "pending") {
    publishNote(context, [other], { event: "requestReceived", data });
  } else {
    await tryApplyInChats(context, ctx, row);
    publishNote(context, [actor, other], { event: "requestAnswered", data });
  }
  return data;
}

/** @throws NotFound  no such invite, not sent to the caller, or already answered: callers can't tell these apart */
export async function respond(
  context: ContactRequestContext,
  ctx: Ctx<unknown>,
  actor: string,
  { requestId, status }: { readonly requestId: string; readonly status: "accepted" | "rejected" },
): Promise<ContactRequest> {
  const row = await changePair(context, status === "accepted" ? "accept" : "reject", actor, findById(context, actor, requestId));
  const data = present.contactRequest(row);
  // Before the note: a user who receives it may send a message immediately.
  if (row.state === "accepted") await tryApplyInChats(context, ctx, row);
  publishNote(context, [row.fromUserId], { event: "requestAnswered", data });
  return data;
}

/**
 * @throws NotFound   no such invite, or the caller may not see it
 * @throws Forbidden  the caller is the recipient
 * @throws Conflict   already answered
 */
export async function cancel(context: ContactRequestContext, actor: string, requestId: string): Promise<void> {
  await changePair(context, "cancel", actor, findById(context, actor, requestId));
}

const findById =
  ({ db }: ContactRequestContext, actor: string, requestId: string): FindPair =>
  async () => {
    const row = await db.get(requests, requestId);
    if (row === undefined || (row.fromUserId !== actor && row.toUserId !== actor)) throw new NotFound("There is no such request");
    return { row, other: row.fromUserId === actor ? row.toUserId : row.fromUserId };
  };

function publishNote({ feed }: ContactRequestContext, userIds: readonly string[], note: UserNote): void {
  for (const userId of userIds) feed.publish(userChannel(userId), note);
}
