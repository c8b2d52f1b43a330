/** Brings one socket from the position of an answer it got to the position of its room. */
import type { Batch } from "../../../chat/contract.ts";
import { subscriptionEnd, ChangeRun, type SubscriptionEnd, type SequencePosition, type RoomSubscriber } from "./change-run.ts";
import { hasSeen, type RoomSocket } from "./subscribers.ts";

/** A page of changes from chat. `more`: later changes follow on another page. */
export type ChangePage = Batch & { readonly more: boolean };

export interface CatchUpContext {
  /** Retries until chat answers. Resolves to undefined when the room has closed or the chat no longer exists. */
  readonly fetch: (since: number) => Promise<ChangePage | undefined>;
  readonly isWanted: () => boolean;
  /** The room's `seq`. */
  readonly seq: () => number;
  readonly pause: () => Promise<void>;
}

/**
 * Emits the changes that the socket has not seen, as far as its membership allows.
 * @returns the socket's new position; the end of its membership if that came first; undefined when the socket is no longer wanted
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
