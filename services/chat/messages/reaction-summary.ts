/** Computes a message's reactions after a batch of changes, and what to write for them. Pure. */
import { Conflict } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { type Operation, insert, remove } from "../../../core/store/store.ts";
import type { Reactions } from "../documents.ts";
import { type ReactionRow, reactions } from "../store/collections.ts";
import { reactionKey, maxListedReactors } from "../store/first-reactions.ts";
import type { ChatSnapshot } from "../timeline/snapshot.ts";

/** One user's reaction, added to a message or removed. */
export interface ReactionChange {
  readonly userId: string;
  readonly emoji: string;
  readonly on: boolean;
}

/** Maximum number of kinds of reactions per message. */
const maxKinds = 20;

/** A message's reactions while changes are applied. */
export class ReactionSummary {
  readonly writes: Operation[] = [];
  reactions: Reactions;
  private readonly messageId: string;
  private readonly ownKeys: Set<string>;
  private readonly firstRows: Map<string, readonly Pick<ReactionRow, "userId">[]>;

  constructor(messageId: string, current: Reactions, snapshot: ChatSnapshot) {
    this.messageId = messageId;
    this.reactions = current;
    this.ownKeys = new Set(snapshot.reactions.filter((row) => row.messageId === messageId).map(ownKey));
    this.firstRows = new Map(snapshot.firstReactions);
  }

  /** @throws Conflict  the message has the maximum number of kinds */
  apply(change: ReactionChange): void {
    if (this.ownKeys.has(ownKey(change)) === change.on) return;
    if (change.on) this.add(change);
    else this.remove(change);
  }

  private add(change: ReactionChange): void {
    const { userId, emoji } = change;
    const kind = Object.hasOwn(this.reactions, emoji) ? this.reactions[emoji]! : undefined;
    if (kind === undefined && Object.keys(this.reactions).length >= maxKinds) {
      throw new Conflict(`A message has at most ${maxKinds} kinds of reactions`);
    }
    const { messageId } = this;
    const row: ReactionRow = { _id: newId(), messageId, userId, emoji };
    this.writes.push(insert(reactions, row));
    this.ownKeys.add(ownKey(change));
    const first = this.firstRowsOf(emoji);
    const count = kind?.count ?? 0;
    // If the list is incomplete, the newest reaction is not among the first ones.
    this.setKind(emoji, count + 1, count === first.length ? [...first, row] : first);
  }

  private remove(change: ReactionChange): void {
    const { userId, emoji } = change;
    this.writes.push(remove(reactions, { messageId: this.messageId, userId, emoji }));
    this.ownKeys.delete(ownKey(change));
    const first = this.firstRowsOf(emoji).filter((row) => row.userId !== userId);
    this.setKind(emoji, (this.reactions[emoji]?.count ?? 1) - 1, first);
  }

  private firstRowsOf(emoji: string) {
    return this.firstRows.get(reactionKey(this.messageId, emoji)) ?? [];
  }

  private setKind(emoji: string, count: number, first: readonly Pick<ReactionRow, "userId">[]): void {
    this.firstRows.set(reactionKey(this.messageId, emoji), first);
    const kind = { count, userIds: first.slice(0, maxListedReactors).map(({ userId }) => userId) };
    // A kind keeps its position: kinds are ordered by their first reaction.
    const kinds = Object.entries({ ...this.reactions, [emoji]: kind });
    this.reactions = Object.fromEntries(kinds.filter(([, { count }]) => count > 0));
  }
}

const ownKey = ({ userId, emoji }: Pick<ReactionChange, "userId" | "emoji">): string => `${userId} ${emoji}`;
