/**
 * Keeps what a socket knows of its user's memberships. Notes, rooms and the poll for missed changes may bring the same news, in any
 * order; it is announced once.
 */
import type { Membership } from "../../chat/contract.ts";

export type MembershipStart = Pick<Membership, "chatId" | "joinedN" | "joinedSeq">;
/** The end of a membership, at change `leftSeq`. */
export interface MembershipEnd {
  readonly chatId: string;
  readonly leftSeq: number;
}

/** The last change of the membership: a join or an end. */
interface LastMembershipChange {
  readonly seq: number;
  readonly isMember: boolean;
}

export class KnownMemberships {
  private readonly last = new Map<string, LastMembershipChange>();

  get chatIds(): Iterable<string> {
    return this.last.keys();
  }

  /** Whether the socket knows its user as a member. With `joinedSeq`, whether by that join. */
  isMember(chatId: string, joinedSeq?: number): boolean {
    const last = this.last.get(chatId);
    return last !== undefined && last.isMember && (joinedSeq ?? last.seq) === last.seq;
  }

  hasLeft(chatId: string): boolean {
    return this.last.get(chatId)?.isMember === false;
  }

  isNewJoin({ chatId, joinedSeq }: Pick<MembershipStart, "chatId" | "joinedSeq">): boolean {
    return joinedSeq > (this.last.get(chatId)?.seq ?? 0);
  }

  /** @returns `again` when the end of an earlier membership was not announced */
  recordJoin({ chatId, joinedSeq }: Pick<MembershipStart, "chatId" | "joinedSeq">): "new" | "again" | "known" {
    const last = this.last.get(chatId);
    if (joinedSeq <= (last?.seq ?? 0)) return "known";
    this.last.set(chatId, { seq: joinedSeq, isMember: true });
    return last?.isMember === true ? "again" : "new";
  }

  /** @returns `unknown` when the socket did not know the chat */
  recordLeave({ chatId, leftSeq }: MembershipEnd): "new" | "unknown" | "known" {
    const last = this.last.get(chatId);
    if (leftSeq <= (last?.seq ?? 0)) return "known";
    this.last.set(chatId, { seq: leftSeq, isMember: false });
    if (last === undefined) return "unknown";
    return last.isMember ? "new" : "known";
  }
}
