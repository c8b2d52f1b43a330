/**
 * Reactions are rows, so that none is lost; a message carries what of them is shown. Those that come close together for one message
 * are one change of it: a message that a thousand people react to at once changes twice a second, not a thousand times.
 */
import type { Clock } from "../../core/clock.ts";
import { Conflict, Forbidden, Unavailable } from "../../core/errors.ts";
import { newId } from "../../core/ids.ts";
import { insert, remove, type Operation } from "../../core/store/store.ts";
import { reactions, type MessageRow, type ReactionRow } from "./collections.ts";
import type { Message, Reactions } from "./contract.ts";
import type { Draft } from "./draft.ts";
import { seen } from "./editing.ts";
import { authorizePost, type Contacts } from "./policy.ts";
import { presentMessage } from "./present.ts";
import { emojiKey, namedReactions, type Scene } from "./scene.ts";
import { expiry, type Change } from "./timeline.ts";
import type { Timelines } from "./timelines.ts";

/** One person's reaction, put on a message or taken back. */
interface Act {
  readonly userId: string;
  readonly emoji: string;
  readonly on: boolean;
}
type Outcome = { readonly refusal: unknown } | undefined;

/** Kinds that one message may have. */
const kindsLimit = 20;
const everyMs = 500;
/** Acts that may wait for one message, and that one change takes. */
const mayWait = 2000;
const atOnce = 500;

interface Waiting extends Act {
  /** When its caller has given up, epoch milliseconds. */
  readonly expiresAt: number;
  readonly resolve: (message: Message) => void;
  readonly reject: (reason: unknown) => void;
}

/** Gathers what comes for one message while its last change is less than half a second old. */
export class Gathering {
  private readonly timelines: Timelines;
  private readonly contacts: Contacts;
  private readonly clock: Clock;
  private readonly waiting = new Map<string, Waiting[]>();

  constructor(timelines: Timelines, contacts: Contacts, clock: Clock) {
    this.timelines = timelines;
    this.contacts = contacts;
    this.clock = clock;
  }

  react(chatId: string, messageId: string, act: Act): Promise<Message> {
    return new Promise((resolve, reject) => {
      const queue = this.waiting.get(messageId);
      if ((queue?.length ?? 0) >= mayWait) {
        reject(new Unavailable("Too many react to this message, try again"));
        return;
      }
      const waiting = { ...act, expiresAt: expiry(this.clock), resolve, reject };
      queue?.push(waiting);
      if (queue === undefined) void this.run(chatId, messageId, [waiting]);
    });
  }

  private async run(chatId: string, messageId: string, queue: Waiting[]): Promise<void> {
    this.waiting.set(messageId, queue);
    while (queue.length > 0) {
      await this.carryOut(chatId, messageId, queue.splice(0, atOnce));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    this.waiting.delete(messageId);
  }

  private async carryOut(chatId: string, messageId: string, all: readonly Waiting[]): Promise<void> {
    const now = this.clock.now();
    // This node stood still: who gave up may have reacted otherwise since, at another.
    const [late, acts] = [all.filter(({ expiresAt }) => expiresAt < now), all.filter(({ expiresAt }) => expiresAt >= now)];
    for (const { reject } of late) reject(new Unavailable());
    if (acts.length === 0) return;
    try {
      const expiresAt = Math.min(...acts.map((act) => act.expiresAt));
      const { message, outcomes } = await this.timelines.append(chatId, reactChange(this.contacts, messageId, acts), expiresAt);
      acts.forEach(({ resolve, reject }, index) => {
        const refused = outcomes[index];
        if (refused === undefined) resolve(message!);
        else reject(refused.refusal);
      });
    } catch (error) {
      for (const { reject } of acts) reject(error);
    }
  }
}

/** All these acts as one change of the message; each is refused alone. */
function reactChange(
  contacts: Contacts,
  messageId: string,
  acts: readonly Act[],
): Change<{ message: Message | undefined; outcomes: readonly Outcome[] }> {
  const people = [...new Set(acts.map(({ userId }) => userId))];
  return {
    needs: { people, messages: [messageId], reactions: acts.map(({ userId, emoji }) => ({ messageId, userId, emoji })) },
    size: acts.length * 200,
    apply(draft) {
      const row = draft.message(messageId);
      const shown = new Shown(messageId, row?.reactions ?? {}, draft.scene);
      const outcomes = acts.map((act): Outcome => {
        try {
          authorizeReaction(draft, contacts, act.userId, messageId);
          shown.carryOut(act);
          return undefined;
        } catch (refusal) {
          return { refusal };
        }
      });
      draft.also(...shown.writes);
      return { message: row === undefined ? undefined : presented(draft, row, shown), outcomes };
    },
  };
}

function authorizeReaction(draft: Draft, contacts: Contacts, userId: string, messageId: string): void {
  const { member, message } = seen(draft, userId, messageId);
  if (message.kind === "system") throw new Forbidden("The chat's own messages take no reactions");
  authorizePost(contacts, draft.chat, member);
  if (message.deletedAt !== null) throw new Conflict("The message was deleted");
}

const presented = (draft: Draft, row: MessageRow, { writes, reactions }: Shown): Message =>
  writes.length === 0 ? presentMessage(row, draft.scene.readers) : draft.change(row, { reactions });

/** A message's reactions while acts are carried out on them. */
class Shown {
  readonly writes: Operation[] = [];
  reactions: Reactions;
  private readonly messageId: string;
  private readonly own: Set<string>;
  private readonly first: Map<string, readonly Pick<ReactionRow, "userId">[]>;

  constructor(messageId: string, shown: Reactions, scene: Scene) {
    this.messageId = messageId;
    this.reactions = shown;
    this.own = new Set(scene.reactions.filter((row) => row.messageId === messageId).map(ownKey));
    this.first = new Map(scene.firstReactions);
  }

  /** @throws Conflict  the message has as many kinds as it may have */
  carryOut(act: Act): void {
    if (this.own.has(ownKey(act)) === act.on) return;
    if (act.on) this.put(act);
    else this.takeBack(act);
  }

  private put(act: Act): void {
    const { userId, emoji } = act;
    const kind = Object.hasOwn(this.reactions, emoji) ? this.reactions[emoji]! : undefined;
    if (kind === undefined && Object.keys(this.reactions).length >= kindsLimit) {
      throw new Conflict(`A message has at most ${kindsLimit} kinds of reactions`);
    }
    const { messageId } = this;
    const row: ReactionRow = { _id: newId(), messageId, userId, emoji };
    this.writes.push(insert(reactions, row));
    this.own.add(ownKey(act));
    const first = this.firstOf(emoji);
    const count = kind?.count ?? 0;
    // Where the list is not whole, the newest is not among the first.
    this.show(emoji, count + 1, count === first.length ? [...first, row] : first);
  }

  private takeBack(act: Act): void {
    const { userId, emoji } = act;
    this.writes.push(remove(reactions, { messageId: this.messageId, userId, emoji }));
    this.own.delete(ownKey(act));
    const first = this.firstOf(emoji).filter((row) => row.userId !== userId);
    this.show(emoji, (this.reactions[emoji]?.count ?? 1) - 1, first);
  }

  private firstOf(emoji: string) {
    return this.first.get(emojiKey(this.messageId, emoji)) ?? [];
  }

  private show(emoji: string, count: number, first: readonly Pick<ReactionRow, "userId">[]): void {
    this.first.set(emojiKey(this.messageId, emoji), first);
    const kind = { count, userIds: first.slice(0, namedReactions).map(({ userId }) => userId) };
    // A kind stays where it is: their order is that of their first reaction.
    const kinds = Object.entries({ ...this.reactions, [emoji]: kind });
    this.reactions = Object.fromEntries(kinds.filter(([, { count }]) => count > 0));
  }
}

const ownKey = ({ userId, emoji }: Pick<Act, "userId" | "emoji">): string => emojiKey(userId, emoji);
