import { describe, expect, test } from "@jest/globals";
import { codeOf } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { pairKey, type RelationState } from "../../../services/request/contract.ts";
import {
  rejectionCooldownMs,
  transition,
  type RelationAction,
  type NextPairState,
  type PairState,
} from "../../../services/request/relations/transitions.ts";

const sender = "a".repeat(24);
const recipient = "b".repeat(24);
const decidedAt = 1_000_000;
const justBefore = decidedAt + rejectionCooldownMs - 1;
const dayLater = decidedAt + rejectionCooldownMs;

/** A pair in this state after an invite of the sender. The recipient is the one who blocked; they were contacts only if the contact ended. */
const standing = (state: RelationState, wereContacts = state === "ended"): PairState => ({
  state,
  fromUserId: sender,
  toUserId: recipient,
  updatedAt: decidedAt,
  blockedBy: state === "blocked" ? [recipient] : [],
  wereContacts,
});

function outcome(from: PairState | undefined, act: RelationAction, actor: string, now = justBefore): string {
  const other = actor === sender ? recipient : sender;
  try {
    const next = transition(from, act, { actor, other, now });
    if (next === null) return "as it is";
    return next.isNew ? `new ${next.state}` : next.state;
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

// Every cell: what the sender's act and what the recipient's act leads to.
const table: { [S in RelationState]: { [A in RelationAction]: readonly [ofSender: string, ofRecipient: string] } } = {
  none: {
    invite: ["new pending", "new pending"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["NOT_FOUND", "NOT_FOUND"],
    end: ["NOT_FOUND", "NOT_FOUND"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  pending: {
    invite: ["CONFLICT", "accepted"],
    accept: ["NOT_FOUND", "accepted"],
    reject: ["NOT_FOUND", "rejected"],
    cancel: ["cancelled", "FORBIDDEN"],
    end: ["NOT_FOUND", "NOT_FOUND"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  accepted: {
    invite: ["CONFLICT", "CONFLICT"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["CONFLICT", "FORBIDDEN"],
    end: ["ended", "ended"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  rejected: {
    invite: ["CONFLICT", "new pending"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["CONFLICT", "FORBIDDEN"],
    end: ["NOT_FOUND", "NOT_FOUND"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  cancelled: {
    invite: ["new pending", "new pending"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["NOT_FOUND", "NOT_FOUND"],
    end: ["NOT_FOUND", "NOT_FOUND"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  ended: {
    invite: ["new pending", "new pending"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["NOT_FOUND", "NOT_FOUND"],
    end: ["as it is", "as it is"],
    block: ["blocked", "blocked"],
    unblock: ["NOT_FOUND", "NOT_FOUND"],
  },
  // The recipient is the one who blocked.
  blocked: {
    invite: ["NOT_FOUND", "CONFLICT"],
    accept: ["NOT_FOUND", "NOT_FOUND"],
    reject: ["NOT_FOUND", "NOT_FOUND"],
    cancel: ["NOT_FOUND", "NOT_FOUND"],
    end: ["NOT_FOUND", "NOT_FOUND"],
    block: ["blocked", "as it is"],
    unblock: ["NOT_FOUND", "none"],
  },
};

describe("the relation of two users", () => {
  for (const [state, acts] of Object.entries(table) as [RelationState, (typeof table)[RelationState]][]) {
    for (const [act, [ofSender, ofRecipient]] of Object.entries(acts) as [RelationAction, [string, string]][]) {
      test(`${state}: the sender's ${act} leads to ${ofSender}, the recipient's to ${ofRecipient}`, () => {
        expect(outcome(standing(state), act, sender)).toBe(ofSender);
        expect(outcome(standing(state), act, recipient)).toBe(ofRecipient);
      });
    }
  }

  test("two users without a request have the relation none", () => {
    for (const act of Object.keys(table.none) as RelationAction[]) expect(outcome(undefined, act, sender)).toBe(table.none[act][0]);
  });

  test("a rejected sender may ask again after 24 hours, not a millisecond before", () => {
    expect(outcome(standing("rejected"), "invite", sender, justBefore)).toBe("CONFLICT");
    expect(outcome(standing("rejected"), "invite", sender, dayLater)).toBe("new pending");
  });

  test("a new invite gets the direction of its sender", () => {
    const next = transition(standing("ended"), "invite", { actor: recipient, other: sender, now: justBefore });
    const afresh: NextPairState = {
      state: "pending",
      fromUserId: recipient,
      toUserId: sender,
      blockedBy: [],
      isNew: true,
      wereContacts: true,
    };
    expect(next).toEqual(afresh);
  });

  test("a crossing invite keeps the direction of the first invite", () => {
    const next = transition(standing("pending"), "invite", { actor: recipient, other: sender, now: justBefore });
    expect(next).toMatchObject({ state: "accepted", fromUserId: sender, toUserId: recipient });
  });

  test("if both blocked, the block lasts until both have lifted it", () => {
    const both = transition(standing("blocked"), "block", { actor: sender, other: recipient, now: justBefore })!;
    expect(both.blockedBy).toEqual([recipient, sender]);
    const one = transition({ ...both, updatedAt: decidedAt }, "unblock", { actor: recipient, other: sender, now: justBefore })!;
    expect(one).toMatchObject({ state: "blocked", blockedBy: [sender] });
    const lifted = { ...one, updatedAt: decidedAt };
    for (const act of ["invite", "unblock"] as const) expect(outcome(lifted, act, recipient)).toBe("NOT_FOUND");
    expect(outcome(lifted, "unblock", sender)).toBe("none");
  });

  test("former contacts may end the contact again in any state, and nothing changes", () => {
    for (const state of Object.keys(table) as RelationState[]) {
      for (const actor of [sender, recipient]) {
        expect(outcome(standing(state, true), "end", actor)).toBe(state === "accepted" ? "ended" : "as it is");
      }
    }
  });

  test("that two users were contacts is kept through an end, a block and a new invite", () => {
    const doing = { actor: sender, other: recipient, now: justBefore };
    for (const act of ["end", "block"] as const) {
      const left = transition(standing("accepted"), act, doing)!;
      expect(left.wereContacts).toBe(true);
      expect(transition({ ...left, updatedAt: decidedAt }, "block", doing)?.wereContacts ?? true).toBe(true);
    }
    expect(transition(standing("ended"), "invite", doing)!.wereContacts).toBe(true);
    for (const state of ["none", "pending", "rejected", "cancelled"] as const) {
      expect(transition(standing(state), "block", doing)!.wereContacts).toBe(false);
    }
  });

  test("for a blocked user, every act except an invite looks as it does after the contact ended", () => {
    for (const wereContacts of [true, false]) {
      for (const act of ["accept", "reject", "cancel", "end", "unblock"] as const) {
        expect(outcome(standing("blocked", wereContacts), act, sender)).toBe(outcome(standing("ended", wereContacts), act, sender));
      }
    }
  });
});

test("two users have one key, whatever their order", () => {
  const [a, b] = [newId(), newId()];
  expect(pairKey(a, b)).toBe(pairKey(b, a));
  expect(pairKey(b, a)).toBe([a, b].sort().join(":"));
});
