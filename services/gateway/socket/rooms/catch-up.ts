/** Bringing one socket from where an answer left it to where its room is. */
import type { Batch } from "../../../chat/contract.ts";
import { subscriptionEnd, ChangeRun, type SubscriptionEnd, type SequencePosition, type RoomSubscriber } from "./change-run.ts";
import { hasSeen, type RoomSocket } from "./subscribers.ts";

/** A run of changes as chat answers it; there may be more above. */
export type ChangePage = Batch & { readonly more: boolean };

/** What the socket's room lends for it. */
export interface CatchUpContext {
  /** Waits for an answer; undefined when the room has closed. */
  readonly fetch: (since: number) => Promise<ChangePage | undefined>;
  readonly isWanted: () => boolean;
  /** Where the room is. */
  readonly seq: () => number;
  readonly pause: () => Promise<void>;
}

/**
 * Emits to the socket what it has not seen yet, as far as its membership allows.
 * @returns its place at the end; the end of its membership, if that came first; undefined when it is not wanted any more
 */
export async function catchUp(
  socket: RoomSocket,
  subscriber: RoomSubscriber,
  from: SequencePosition,
  { fetch, isWanted, seq: roomSeq, pause }: CatchUpContext,
): Promise<SequencePosition | SubscriptionEnd | undefined> {
  const run = new ChangeRun(from);
  for (let { seq } = from; ;) {
    const page = await fetch(seq);
    if (page === undefined || !isWanted()) return undefined;
    const end = page.memberChanges.map((membership) => subscriptionEnd(subscriber, membership)).find((found) => found !== undefined);
    for (const change of page.changes) {
      if (change.n > subscriber.joinedN && change.seq < (end?.at ?? Infinity)) socket.emit(run.eventFor(change), change);
    }
    if (end !== undefined && end.at <= page.seq) return end;
    run.record(page);
    seq = Math.max(seq, page.seq);
    if (!page.more && seq >= roomSeq()) {
      if (run.chatUpdate !== undefined && !hasSeen(run.chatUpdate.seq, subscriber, from)) socket.emit("chatChanged", run.chatUpdate.chat);
      return { seq, n: page.n };
    }
    if (!page.more) await pause();
  }
}
