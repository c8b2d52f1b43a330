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
}
/** Where an act leads. `isNew`: an invite that starts afresh, with its own message and time. */
export interface Next extends Omit<Standing, "updatedAt"> {
  readonly isNew: boolean;
}

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
type Move = (view: View) => Next;

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
const block: Move = ({ actor, fromUserId, toUserId, blockedBy }) => ({
  state: "blocked",
  fromUserId,
  toUserId,
  blockedBy: blockedBy.includes(actor) ? blockedBy : [...blockedBy, actor],
  isNew: false,
});
const unblock: Move = ({ actor, fromUserId, toUserId, blockedBy }) => {
  if (!blockedBy.includes(actor)) throw new NotFound("This person is not blocked");
  const left = blockedBy.filter((blocker) => blocker !== actor);
  return { state: left.length === 0 ? "none" : "blocked", fromUserId, toUserId, blockedBy: left, isNew: false };
};

const missing = refuse(noSuchRequest);
const notConnected = refuse(() => new NotFound("This person is not a contact"));
const notBlocked = refuse(() => new NotFound("This person is not blocked"));
/** No invite stands: one that was taken back, and a contact that ended, are as good as never asked. */
const open = {
  invite: afresh,
  accept: missing,
  reject: missing,
  cancel: missing,
  end: notConnected,
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
 * @throws Conflict, NotFound, Forbidden  as the table says
 */
export function transition(standing: Standing | undefined, act: Act, doing: Doing): Next {
  const { actor, other } = doing;
  const present = standing ?? { state: "none", fromUserId: actor, toUserId: other, updatedAt: 0, blockedBy: [] };
  const isSender = present.fromUserId === actor;
  return table[present.state][act]({ ...present, ...doing, isSender, isRecipient: !isSender });
}
