/**
 * Stores reactions. Each is a row, so none is lost, and the message has a summary. Reactions that arrive close together are one change
 * of their message: if a thousand users react at once, it changes twice per second, not a thousand times.
 */
import type { Clock } from "../../../core/clock.ts";
import { Conflict, Forbidden, Unavailable } from "../../../core/errors.ts";
import type { MessageRow } from "../store/collections.ts";
import type { Message } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";
import { visibleMessage } from "./visible-message.ts";
import { authorizePost, type ContactPolicy } from "../policy.ts";
import { presentMessage } from "../present.ts";
import type { Change } from "../timeline/change.ts";
import type { Timelines } from "../timeline/registry.ts";
import { ReactionSummary, type ReactionChange } from "./reaction-summary.ts";

type ReactionOutcome = { readonly refusal: unknown } | undefined;

const batchIntervalMs = 500;
/** Maximum number of reactions that wait for one message, and that one change stores. */
const maxQueuedReactions = 2000;
const maxBatchedReactions = 500;

interface QueuedReaction extends ReactionChange {
  /** When the caller gives up, epoch milliseconds. */
  readonly expiresAt: number;
  readonly resolve: (message: Message) => void;
  readonly reject: (reason: unknown) => void;
}

/** Collects reactions to a message while its last change is less than half a second old. */
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

  react(chatId: string, messageId: string, change: ReactionChange, expiresAt: number): Promise<Message> {
    return new Promise((resolve, reject) => {
      const queue = this.queues.get(messageId);
      if ((queue?.length ?? 0) >= maxQueuedReactions) {
        reject(new Unavailable("Too many react to this message, try again"));
        return;
      }
      const queued = { ...change, expiresAt, resolve, reject };
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
    // This process was paused. A caller that gave up may have sent another reaction to another node since.
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

/** Makes one change of several reactions to a message. Each one is refused individually. */
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
