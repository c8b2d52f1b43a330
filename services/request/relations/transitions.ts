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
import { Conflict, Forbidden, NotFound, type DomainError } from "../../../core/errors.ts";
import type { RelationState } from "../contract.ts";

export type RelationAction = "invite" | "accept" | "reject" | "cancel" | "end" | "block" | "unblock";

/** The part of a pair's row that decides what may be done next. */
export interface PairState {
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
export interface NextPairState extends Omit<PairState, "updatedAt"> {
  readonly isNew: boolean;
}
/** A move's part of `Next`; what two people were to each other follows from where they come from. */
type TransitionTarget = Omit<NextPairState, "wereContacts">;

interface ActionInput {
  readonly actor: string;
  readonly other: string;
  /** Epoch milliseconds by the store's clock. */
  readonly now: number;
}
/** The pair as the actor sees it. */
interface ActorView extends PairState, ActionInput {
  readonly isSender: boolean;
  readonly isRecipient: boolean;
}
/** Null: it is so already. */
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
  // Who is blocked must not find out: the same words as for an unknown address.
  throw new NotFound(unknownAddressMessage);
};
const invitePending: TransitionRule = (view) => {
  if (view.isSender) throw new Conflict("You have asked this person already");
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
/** Two who were contacts once. Also between the blocked: whether it ended or was blocked must look the same. */
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
/** No invite stands: one that was taken back, and a contact that ended, are as good as never asked. */
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
 * What an act makes of a pair.
 * @param state  the pair's present row; undefined when the two never met
 * @returns null when it is so already: then there is a row, and nothing to write
 * @throws Conflict, NotFound, Forbidden  as the table says
 */
export function transition(state: PairState | undefined, action: RelationAction, input: ActionInput): NextPairState | null {
  const { actor, other } = input;
  const current = state ?? { state: "none", fromUserId: actor, toUserId: other, updatedAt: 0, blockedBy: [], wereContacts: false };
  const isSender = current.fromUserId === actor;
  const target = transitions[current.state][action]({ ...current, ...input, isSender, isRecipient: !isSender });
  return target === null ? null : { ...target, wereContacts: current.wereContacts || current.state === "accepted" };
}
