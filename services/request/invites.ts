/** Invites: each act is judged on the pair's row, committed if that row is still the same, and told to whom it concerns. */
import type { Ctx } from "../../core/call.ts";
import type { EventRef } from "../../core/contract.ts";
import { Invalid, NotFound } from "../../core/errors.ts";
import { userChannel, type UserNote } from "../../core/feed/channels.ts";
import { newId, pairKey } from "../../core/ids.ts";
import type { Ports } from "../../core/ports.ts";
import { settle } from "../../core/settle.ts";
import { expect, insert, remove, storeTime, update, type Database, type Operation, type StoreTime } from "../../core/store/store.ts";
import { announce } from "../../mixins/outbox.ts";
import { requestEvents, type ContactRequest, type RelationEvent, type RelationState } from "./contract.ts";
import { personByEmail } from "./directory.ts";
import { forgetLists } from "./lists.ts";
import * as present from "./present.ts";
import { nobodyThere, transition, type Act } from "./relations.ts";
import { requestOfPair, requests, type RequestRow } from "./requests.repository.ts";

/** What invites are kept with. */
export interface Keeping extends Pick<Ports, "cache" | "clock" | "feed"> {
  readonly db: Database;
}

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
  const row = await perform(keeping, "invite", actor, find, message ?? greeting);
  const data = present.contactRequest(row);
  if (row.state === "pending") note(keeping, [other], { event: "requestReceived", data });
  else note(keeping, [actor, other], { event: "requestAnswered", data });
  return data;
}

/** @throws NotFound  not there, not one's to answer, or answered: the three can't be told apart from outside */
export async function respond(
  keeping: Keeping,
  actor: string,
  { requestId, status }: { readonly requestId: string; readonly status: "accepted" | "rejected" },
): Promise<ContactRequest> {
  const row = await perform(keeping, status === "accepted" ? "accept" : "reject", actor, byId(keeping, actor, requestId));
  const data = present.contactRequest(row);
  note(keeping, [row.fromUserId], { event: "requestAnswered", data });
  return data;
}

/**
 * @throws NotFound   no such invite, or not one's to see
 * @throws Forbidden  the recipient's attempt
 * @throws Conflict   answered already
 */
export async function cancel(keeping: Keeping, actor: string, requestId: string): Promise<void> {
  await perform(keeping, "cancel", actor, byId(keeping, actor, requestId));
}

/** The pair's present row, and who the other of the two is. */
type Find = () => Promise<{ row: RequestRow | undefined; other: string }>;

const byId =
  ({ db }: Keeping, actor: string, requestId: string): Find =>
  async () => {
    const row = await db.get(requests, requestId);
    if (row === undefined || (row.fromUserId !== actor && row.toUserId !== actor)) throw new NotFound("There is no such request");
    return { row, other: row.fromUserId === actor ? row.toUserId : row.fromUserId };
  };

/** A row as a commit writes it: the store fills in its time. */
interface Written extends Omit<RequestRow, "createdAt" | "updatedAt"> {
  readonly createdAt: number | StoreTime;
  readonly updatedAt: StoreTime;
}

/** Judges, commits with the event, and forgets the lists that showed the old state. */
async function perform(keeping: Keeping, act: Act, actor: string, find: Find, message = ""): Promise<RequestRow> {
  const { db, cache, clock } = keeping;
  const { outcome, at } = await settle(db, async () => {
    const { row, other } = await find();
    const { isNew, ...standing } = transition(row, act, { actor, other, now: clock.now() });
    const content: Pick<Written, "message" | "createdAt"> =
      row === undefined || isNew ? { message, createdAt: storeTime } : { message: row.message, createdAt: row.createdAt };
    // A new invite has an id of its own: a late answer to the old one must not hit it.
    const identity = { _id: row === undefined || isNew ? newId() : row._id, pair: pairKey(actor, other), rev: (row?.rev ?? 0) + 1 };
    const written: Written = { ...identity, ...standing, ...content, updatedAt: storeTime };
    return { operations: operations(row, written), outcome: written };
  });
  await forgetLists(cache, [outcome.fromUserId, outcome.toUserId]);
  return { ...outcome, createdAt: outcome.createdAt === storeTime ? at : outcome.createdAt, updatedAt: at };
}

function operations(row: RequestRow | undefined, { _id, ...fields }: Written): Operation[] {
  const ref = announced[fields.state];
  return [
    ...write(row, { _id, ...fields }),
    ...(ref === undefined
      ? []
      : [announce(ref, { key: fields.pair, rev: fields.rev, payload: present.relationEvent({ _id, ...fields }) })]),
  ];
}

function write(row: RequestRow | undefined, now: Written): Operation[] {
  if (row === undefined) return [insert(requests, now)];
  const { _id, ...fields } = now;
  if (row._id === _id) return [update(requests, { _id, rev: row.rev }, fields)];
  return [expect(requests, { _id: row._id, rev: row.rev }), remove(requests, { _id: row._id }), insert(requests, now)];
}

/** The states that other services hear of. An invite that is open or was taken back changes nothing for them. */
const announced: { readonly [S in RelationState]?: EventRef<RelationEvent> } = {
  accepted: requestEvents.accepted,
  rejected: requestEvents.rejected,
  ended: requestEvents.ended,
  blocked: requestEvents.blocked,
  none: requestEvents.unblocked,
};

function note({ feed }: Keeping, userIds: readonly string[], what: UserNote): void {
  for (const userId of userIds) feed.publish(userChannel(userId), what);
}
