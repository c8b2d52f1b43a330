/**
 * Decides how actions change the relation of two users: one table for a pair in either direction, without I/O.
 *
 * | state                   | the sender invites again         | the other user invites        | recipient answers |
 * | ----------------------- | -------------------------------- | ----------------------------- | ----------------- |
 * | none, cancelled, ended  | pending                          | pending                       | NotFound          |
 * | pending                 | Conflict                         | accepted: both wanted it      | accepted/rejected |
 * | accepted                | Conflict                         | Conflict                      | NotFound          |
 * | rejected                | Conflict for 24 h, then pending  | pending                       | NotFound          |
 * | blocked by either       | NotFound (the blocker: Conflict) | the same                      | NotFound          |
 *
 * Withdraw an invite: the sender may while it is pending (Conflict once answered). The recipient, who sees it, gets Forbidden. In all
 * other states there is no visible invite, so both get NotFound.
 *
 * End a contact: either user may. If the two were ever contacts, a repeat changes nothing in any state; otherwise it is NotFound.
 *
 * Block: either or both users may, in every state. The block ends when all blockers have lifted it, and the state becomes `none`. Blocked
 * users must not find out: to them the contact looks ended, and their invites fail as for an unknown address.
 */
import { Conflict, Forbidden, NotFound, type DomainError } from "../../../core/errors.ts";
import type { RelationState } from "../contract.ts";

export type RelationAction = "invite" | "accept" | "reject" | "cancel" | "end" | "block" | "unblock";

/** The part of a pair's row that decides which actions are possible. */
export interface PairState {
  readonly state: RelationState;
  readonly fromUserId: string;
  readonly toUserId: string;
  /** When the state was reached, epoch milliseconds. */
  readonly updatedAt: number;
  readonly blockedBy: readonly string[];
  /** Whether the two were contacts before this state. */
  readonly wereContacts: boolean;
}
/** The result of an action. `isNew`: a new invite, with its own message and time. */
export interface NextPairState extends Omit<PairState, "updatedAt"> {
  readonly isNew: boolean;
}
/** The part of `Next` that a row of the table gives. The rest follows from the previous state. */
type TransitionTarget = Omit<NextPairState, "wereContacts">;

interface ActionInput {
  readonly actor: string;
  readonly other: string;
  /** Store time, epoch milliseconds. */
  readonly now: number;
}
/** The pair from the point of view of the acting user. */
interface ActorView extends PairState, ActionInput {
  readonly isSender: boolean;
  readonly isRecipient: boolean;
}
/** Null: the state is already reached. */
type TransitionRule = (view: ActorView) => TransitionTarget | null;

export const rejectionCooldownMs = 24 * 60 * 60_000;
export const unknownAddressMessage = "There is no account with this e-mail address";

const noSuchRequest = (): DomainError => new NotFound("There is no such request");
const refuseWith =
  (error: () => DomainError): TransitionRule =>
  () => {
    throw error();
  };
const moveTo =
  (state: RelationState): TransitionRule =>
  ({ fromUserId, toUserId, blockedBy }) => ({ state, fromUserId, toUserId, blockedBy, isNew: false });
const newInvite: TransitionRule = ({ actor, other }) => ({
  state: "pending",
  fromUserId: actor,
  toUserId: other,
  blockedBy: [],
  isNew: true,
});

const inviteRejected: TransitionRule = (view) => {
  if (view.isSender && view.now - view.updatedAt < rejectionCooldownMs) {
    throw new Conflict("This person declined; ask again a day later");
  }
  return newInvite(view);
};
const inviteBlocked: TransitionRule = ({ blockedBy, actor }) => {
  if (blockedBy.includes(actor)) throw new Conflict("You blocked this person");
  // A blocked user must not find out, so use the same text as for an unknown address.
  throw new NotFound(unknownAddressMessage);
};
const invitePending: TransitionRule = (view) => {
  if (view.isSender) throw new Conflict("You have already invited this person");
  return moveTo("accepted")(view);
};
const answerInvite =
  (state: "accepted" | "rejected"): TransitionRule =>
  (view) => {
    if (!view.isRecipient) throw noSuchRequest();
    return moveTo(state)(view);
  };
const cancelPending: TransitionRule = (view) => {
  if (view.isRecipient) throw new Forbidden("Only who sent a request may take it back");
  return moveTo("cancelled")(view);
};
const cancelAnswered: TransitionRule = ({ isRecipient }) => {
  throw isRecipient ? new Forbidden("Only who sent a request may take it back") : new Conflict("The request was answered already");
};
/** For users who were contacts, also if one blocked the other: an ended contact and a block must look the same. */
const repeatEnd: TransitionRule = ({ wereContacts }) => {
  if (!wereContacts) throw new NotFound("This person is not a contact");
  return null;
};
const addBlock: TransitionRule = ({ actor, fromUserId, toUserId, blockedBy }) =>
  blockedBy.includes(actor) ? null : { state: "blocked", fromUserId, toUserId, blockedBy: [...blockedBy, actor], isNew: false };
const removeBlock: TransitionRule = ({ actor, fromUserId, toUserId, blockedBy }) => {
  if (!blockedBy.includes(actor)) throw new NotFound("This person is not blocked");
  const left = blockedBy.filter((blocker) => blocker !== actor);
  return { state: left.length === 0 ? "none" : "blocked", fromUserId, toUserId, blockedBy: left, isNew: false };
};

const refuseMissing = refuseWith(noSuchRequest);
const refuseNotBlocked = refuseWith(() => new NotFound("This person is not blocked"));
/** There is no open invite: a withdrawn invite or an ended contact is like no history. */
const withoutInvite = {
  invite: newInvite,
  accept: refuseMissing,
  reject: refuseMissing,
  cancel: refuseMissing,
  end: repeatEnd,
  block: addBlock,
  unblock: refuseNotBlocked,
} as const;

const transitions: { readonly [S in RelationState]: { readonly [A in RelationAction]: TransitionRule } } = {
  none: withoutInvite,
  cancelled: withoutInvite,
  ended: withoutInvite,
  pending: {
    ...withoutInvite,
    invite: invitePending,
    accept: answerInvite("accepted"),
    reject: answerInvite("rejected"),
    cancel: cancelPending,
  },
  accepted: {
    ...withoutInvite,
    invite: refuseWith(() => new Conflict("This person is a contact already")),
    cancel: cancelAnswered,
    end: moveTo("ended"),
  },
  rejected: { ...withoutInvite, invite: inviteRejected, cancel: cancelAnswered },
  blocked: { ...withoutInvite, invite: inviteBlocked, unblock: removeBlock },
};

/**
 * Decides what an action does to a pair.
 * @param state  the pair's current row; undefined without any history
 * @returns null if the state is already reached: then a row exists and there is nothing to write
 * @throws Conflict, NotFound, Forbidden  as given in the table
 */
export function transition(state: PairState | undefined, action: RelationAction, input: ActionInput): NextPairState | null {
  const { actor, other } = input;
  const current = state ?? { state: "none", fromUserId: actor, toUserId: other, updatedAt: 0, blockedBy: [], wereContacts: false };
  const isSender = current.fromUserId === actor;
  const target = transitions[current.state][action]({ ...current, ...input, isSender, isRecipient: !isSender });
  return target === null ? null : { ...target, wereContacts: current.wereContacts || current.state === "accepted" };
}
