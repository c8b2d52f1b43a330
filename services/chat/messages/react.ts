/**
 * Reactions are rows, so that none is lost; a message carries what of them is shown. Those that come close together for one message
 * are one change of it: a message that a thousand people react to at once changes twice a second, not a thousand times.
 */
import type { Clock } from "../../../core/clock.ts";
import { Conflict, Forbidden, Unavailable } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { insert, remove, type Operation } from "../../../core/store/store.ts";
import { reactions, type MessageRow, type ReactionRow } from "../store/collections.ts";
import type { Message, Reactions } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";
import { visibleMessage } from "./edit.ts";
import { authorizePost, type ContactPolicy } from "../policy.ts";
import { presentMessage } from "../present.ts";
import { reactionKey, maxListedReactors, type ChatSnapshot } from "../timeline/snapshot.ts";
import { expiry, type Change } from "../timeline/timeline.ts";
import type { Timelines } from "../timeline/registry.ts";

/** One person's reaction, put on a message or taken back. */
interface ReactionChange {
  readonly userId: string;
  readonly emoji: string;
  readonly on: boolean;
}
type ReactionOutcome = { readonly refusal: unknown } | undefined;

/** Kinds that one message may have. */
const maxKinds = 20;
const batchIntervalMs = 500;
/** Acts that may wait for one message, and that one change takes. */
const maxQueuedReactions = 2000;
const maxBatchedReactions = 500;

interface QueuedReaction extends ReactionChange {
  /** When its caller has given up, epoch milliseconds. */
  readonly expiresAt: number;
  readonly resolve: (message: Message) => void;
  readonly reject: (reason: unknown) => void;
}

/** Gathers what comes for one message while its last change is less than half a second old. */
export class ReactionBatcher {
  private readonly timelines: Timelines;
  private readonly contacts: ContactPolicy;
  private readonly clock: Clock;
  private readonly queues = new Map<string, QueuedReaction[]>();

  constructor(timelines: Timelines, contacts: ContactPolicy, clock: Clock) {
    this.timelines = timelines;
    this.contacts = contacts;
    this.clock = clock;
  }

  react(chatId: string, messageId: string, change: ReactionChange): Promise<Message> {
    return new Promise((resolve, reject) => {
      const queue = this.queues.get(messageId);
      if ((queue?.length ?? 0) >= maxQueuedReactions) {
        reject(new Unavailable("Too many react to this message, try again"));
        return;
      }
      const queued = { ...change, expiresAt: expiry(this.clock), resolve, reject };
      queue?.push(queued);
      if (queue === undefined) void this.run(chatId, messageId, [queued]);
    });
  }

  private async run(chatId: string, messageId: string, queue: QueuedReaction[]): Promise<void> {
    this.queues.set(messageId, queue);
    while (queue.length > 0) {
      await this.storeReactions(chatId, messageId, queue.splice(0, maxBatchedReactions));
      await new Promise((resolve) => setTimeout(resolve, batchIntervalMs));
    }
    this.queues.delete(messageId);
  }

  private async storeReactions(chatId: string, messageId: string, queued: readonly QueuedReaction[]): Promise<void> {
    const now = this.clock.now();
    // This node stood still: who gave up may have reacted otherwise since, at another.
    const [expired, due] = [queued.filter(({ expiresAt }) => expiresAt < now), queued.filter(({ expiresAt }) => expiresAt >= now)];
    for (const { reject } of expired) reject(new Unavailable());
    if (due.length === 0) return;
    try {
      const expiresAt = Math.min(...due.map((reaction) => reaction.expiresAt));
      const { message, outcomes } = await this.timelines.append(chatId, reactChange(this.contacts, messageId, due), expiresAt);
      due.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined) resolve(message!);
        else reject(outcome.refusal);
      });
    } catch (error) {
      for (const { reject } of due) reject(error);
    }
  }
}

/** All these acts as one change of the message; each is refused alone. */
function reactChange(
  contacts: ContactPolicy,
  messageId: string,
  changes: readonly ReactionChange[],
): Change<{ message: Message | undefined; outcomes: readonly ReactionOutcome[] }> {
  const people = [...new Set(changes.map(({ userId }) => userId))];
  return {
    reads: { people, messages: [messageId], reactions: changes.map(({ userId, emoji }) => ({ messageId, userId, emoji })) },
    estimatedBytes: changes.length * 200,
    apply(batch) {
      const row = batch.message(messageId);
      const summary = new ReactionSummary(messageId, row?.reactions ?? {}, batch.snapshot);
      const outcomes = changes.map((change): ReactionOutcome => {
        try {
          authorizeReaction(batch, contacts, change.userId, messageId);
          summary.apply(change);
          return undefined;
        } catch (refusal) {
          return { refusal };
        }
      });
      batch.addWrites(...summary.writes);
      return { message: row === undefined ? undefined : messageAfter(batch, row, summary), outcomes };
    },
  };
}

function authorizeReaction(batch: ChangeBatch, contacts: ContactPolicy, userId: string, messageId: string): void {
  const { member, message } = visibleMessage(batch, userId, messageId);
  if (message.kind === "system") throw new Forbidden("The chat's own messages take no reactions");
  authorizePost(contacts, batch.chat, member);
  if (message.deletedAt !== null) throw new Conflict("The message was deleted");
}

const messageAfter = (batch: ChangeBatch, row: MessageRow, { writes, reactions }: ReactionSummary): Message =>
  writes.length === 0 ? presentMessage(row, batch.snapshot.readers) : batch.changeMessage(row, { reactions });

/** A message's reactions while acts are carried out on them. */
class ReactionSummary {
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

  /** @throws Conflict  the message has as many kinds as it may have */
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
    // Where the list is not whole, the newest is not among the first.
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
    // A kind stays where it is: their order is that of their first reaction.
    const kinds = Object.entries({ ...this.reactions, [emoji]: kind });
    this.reactions = Object.fromEntries(kinds.filter(([, { count }]) => count > 0));
  }
}

const ownKey = ({ userId, emoji }: Pick<ReactionChange, "userId" | "emoji">): string => reactionKey(userId, emoji);
