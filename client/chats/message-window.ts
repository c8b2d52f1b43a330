/**
 * Holds a chat's messages from the oldest loaded one to the newest. Changes to messages before the window are dropped: a page of history
 * brings their current state. Of two states of a message, the one with the higher `seq` wins.
 */
import type { Message } from "../documents.ts";

/** `stale`: this state or a newer one is already held. `outside`: the message is before the window. */
export type PutResult = "new" | "changed" | "stale" | "outside";

export class MessageWindow {
  private readonly byN = new Map<number, Message>();
  private sorted: Message[] = [];
  /** Changes to messages before the window, kept while a page of them is loading, because the page may be older than they are. */
  private olderChanges: Map<number, Message> | undefined;
  private firstN: number | undefined;
  /** Whether the window began with a page. Until then, an earlier message may arrive after a later one. */
  private beganWithPage = false;
  private lastContiguousN = 0;

  /** The `n` of the first message; in an empty window, of the next one to come. Undefined before the window begins. */
  get first(): number | undefined {
    return this.firstN;
  }
  /** All messages from `first` up to this `n` are held. After it there may be gaps. */
  get contiguousUpTo(): number {
    return this.lastContiguousN;
  }

  /** Ascending by `n`. */
  get messages(): readonly Message[] {
    return this.sorted;
  }

  put(message: Message): PutResult {
    if (this.firstN === undefined || (!this.beganWithPage && message.n < this.firstN)) {
      this.firstN = message.n;
      this.lastContiguousN = message.n - 1;
    }
    if (message.n < this.firstN) {
      const known = this.olderChanges?.get(message.n);
      if (known === undefined || known.seq < message.seq) this.olderChanges?.set(message.n, message);
      return "outside";
    }
    const known = this.byN.get(message.n);
    if (known !== undefined && known.seq >= message.seq) return "stale";
    this.insert(message);
    return known === undefined ? "new" : "changed";
  }

  /**
   * Begins again with the newest page. Held messages in or after the page stay, each in its newer state.
   * @param next  the `n` to begin at if the page is empty
   */
  restart(page: readonly Message[], next: number): void {
    const previous = this.sorted;
    this.sorted = [];
    this.byN.clear();
    this.beganWithPage = true;
    this.firstN = page[0]?.n ?? next;
    this.lastContiguousN = this.firstN - 1;
    for (const message of [...page, ...previous]) if (message.n >= this.firstN) this.put(message);
  }

  /** Keeps changes to earlier messages until `prepend`. Call it before requesting a page of them. */
  expectOlderPage(): void {
    this.olderChanges ??= new Map();
  }

  /**
   * Adds a page of older messages, requested as those before `before`.
   * @param page  empty if the request failed or found none
   * @returns the added messages; none if the window no longer begins at `before`
   */
  prepend(page: readonly Message[], before: number): readonly Message[] {
    const changes = this.olderChanges;
    this.olderChanges = undefined;
    const [oldest] = page;
    if (oldest === undefined || this.firstN !== before) return [];
    this.firstN = oldest.n;
    return page.map((message) => {
      const change = changes?.get(message.n);
      const state = change !== undefined && change.seq > message.seq ? change : message;
      this.insert(state);
      return state;
    });
  }

  /** Treats the remaining gaps as closed. Call it after a complete answer: the server has no messages for them. */
  closeGaps(): void {
    this.lastContiguousN = Math.max(this.lastContiguousN, this.messages.at(-1)?.n ?? 0);
  }

  private insert(message: Message): void {
    this.byN.set(message.n, message);
    while (this.byN.has(this.lastContiguousN + 1)) this.lastContiguousN++;
    // Search from the end: new messages are the most frequent, and belong there.
    let index = this.sorted.length;
    while (index > 0 && this.sorted[index - 1]!.n >= message.n) index--;
    this.sorted.splice(index, this.sorted[index]?.n === message.n ? 1 : 0, message);
  }
}
