/**
 * How two people stand to each other, and what each may do about it: one table for a pair in either direction, without I/O.
 *
 * | state                   | the sender invites again         | the other one invites         | recipient answers |
 * | ----------------------- | -------------------------------- | ----------------------------- | ----------------- |
 * | none, cancelled, ended  | pending                          | pending                       | NotFound          |
 * | pending                 | Conflict                         | accepted: both wanted it      | accepted/rejected |
 * | accepted                | Conflict                         | Conflict                      | NotFound          |
 * | rejected                | Conflict for 24 h, then pending  | pending                       | NotFound          |
 * | blocked by either       | NotFound (the blocker: Conflict) | the same                      | NotFound          |
 *
 * Taking an invite back: the sender's while it is pending (answered: Conflict); the recipient, who sees it, is Forbidden; in the
 * other states there is no invite to see, so it is NotFound to both.
 *
 * Ending a contact: either's; once two were contacts, a repeat changes nothing in whatever state, and before that it is NotFound.
 *
 * Blocking: either's in every state, and both may; it stands until all who blocked have lifted it, and then leads to `none`. Who is
 * blocked must not find out: to them it looks as if the contact had ended, and to their invite as if the address were unknown.
 */
import { Conflict, Forbidden, NotFound, type DomainError } from "../../core/errors.ts";
import type { RelationState } from "./contract.ts";

export type Act = "invite" | "accept" | "reject" | "cancel" | "end" | "block" | "unblock";

/** The part of a pair's row that decides what may be done next. */
export interface Standing {
  readonly state: RelationState;
  readonly fromUserId: string;
  readonly toUserId: string;
  /** When the state was reached, epoch milliseconds. */
  readonly updatedAt: number;
  readonly blockedBy: readonly string[];
  /** They were contacts before they came to this state. */
  readonly wereContacts: boolean;
}
/** Where an act leads. `isNew`: an invite that starts afresh, with its own message and time. */
export interface Next extends Omit<Standing, "updatedAt"> {
  readonly isNew: boolean;
}
/** A move's part of `Next`; what two people were to each other follows from where they come from. */
type Step = Omit<Next, "wereContacts">;

interface Doing {
  readonly actor: string;
  readonly other: string;
  /** Epoch milliseconds by the store's clock. */
  readonly now: number;
}
/** The pair as the actor sees it. */
interface View extends Standing, Doing {
  readonly isSender: boolean;
  readonly isRecipient: boolean;
}
/** Null: it is so already. */
type Move = (view: View) => Step | null;

export const rejectionHoldsMs = 24 * 60 * 60_000;
export const nobodyThere = "There is no account with this e-mail address";

const noSuchRequest = (): DomainError => new NotFound("There is no such request");
const refuse =
  (error: () => DomainError): Move =>
  () => {
    throw error();
  };
const to =
  (state: RelationState): Move =>
  ({ fromUserId, toUserId, blockedBy }) => ({ state, fromUserId, toUserId, blockedBy, isNew: false });
const afresh: Move = ({ actor, other }) => ({ state: "pending", fromUserId: actor, toUserId: other, blockedBy: [], isNew: true });

const inviteRejected: Move = (view) => {
  if (view.isSender && view.now - view.updatedAt < rejectionHoldsMs) {
    throw new Conflict("This person declined; ask again a day later");
  }
  return afresh(view);
};
const inviteBlocked: Move = ({ blockedBy, actor }) => {
  if (blockedBy.includes(actor)) throw new Conflict("You blocked this person");
  // Who is blocked must not find out: the same words as for an unknown address.
  throw new NotFound(nobodyThere);
};
const invitePending: Move = (view) => {
  if (view.isSender) throw new Conflict("You have asked this person already");
  return to("accepted")(view);
};
const answer =
  (state: "accepted" | "rejected"): Move =>
  (view) => {
    if (!view.isRecipient) throw noSuchRequest();
    return to(state)(view);
  };
const cancelPending: Move = (view) => {
  if (view.isRecipient) throw new Forbidden("Only who sent a request may take it back");
  return to("cancelled")(view);
};
const cancelAnswered: Move = ({ isRecipient }) => {
  throw isRecipient ? new Forbidden("Only who sent a request may take it back") : new Conflict("The request was answered already");
};
/** Two who were contacts once. Also between the blocked: whether it ended or was blocked must look the same. */
const endAgain: Move = ({ wereContacts }) => {
  if (!wereContacts) throw new NotFound("This person is not a contact");
  return null;
};
const block: Move = ({ actor, fromUserId, toUserId, blockedBy }) =>
  blockedBy.includes(actor) ? null : { state: "blocked", fromUserId, toUserId, blockedBy: [...blockedBy, actor], isNew: false };
const unblock: Move = ({ actor, fromUserId, toUserId, blockedBy }) => {
  if (!blockedBy.includes(actor)) throw new NotFound("This person is not blocked");
  const left = blockedBy.filter((blocker) => blocker !== actor);
  return { state: left.length === 0 ? "none" : "blocked", fromUserId, toUserId, blockedBy: left, isNew: false };
};

const missing = refuse(noSuchRequest);
const notBlocked = refuse(() => new NotFound("This person is not blocked"));
/** No invite stands: one that was taken back, and a contact that ended, are as good as never asked. */
const open = {
  invite: afresh,
  accept: missing,
  reject: missing,
  cancel: missing,
  end: endAgain,
  block,
  unblock: notBlocked,
} as const;

const table: { readonly [S in RelationState]: { readonly [A in Act]: Move } } = {
  none: open,
  cancelled: open,
  ended: open,
  pending: { ...open, invite: invitePending, accept: answer("accepted"), reject: answer("rejected"), cancel: cancelPending },
  accepted: {
    ...open,
    invite: refuse(() => new Conflict("This person is a contact already")),
    cancel: cancelAnswered,
    end: to("ended"),
  },
  rejected: { ...open, invite: inviteRejected, cancel: cancelAnswered },
  blocked: { ...open, invite: inviteBlocked, unblock },
};

/**
 * What an act makes of a pair.
 * @param standing  the pair's present row; undefined when the two never met
 * @returns null when it is so already: then there is a row, and nothing to write
 * @throws Conflict, NotFound, Forbidden  as the table says
 */
export function transition(standing: Standing | undefined, act: Act, doing: Doing): Next | null {
  const { actor, other } = doing;
  const present = standing ?? { state: "none", fromUserId: actor, toUserId: other, updatedAt: 0, blockedBy: [], wereContacts: false };
  const isSender = present.fromUserId === actor;
  const step = table[present.state][act]({ ...present, ...doing, isSender, isRecipient: !isSender });
  return step === null ? null : { ...step, wereContacts: present.wereContacts || present.state === "accepted" };
}
