/**
 * The messages held of one chat: an unbroken run by `n`, from the oldest one loaded to the newest. What lies before it is not held,
 * also when it changes: a page of history brings it as it is then. Of two states of a message the one with the higher `seq` counts.
 */
import type { Message } from "../documents.ts";

/** `old`: this state or a newer one was held. `outside`: it lies before the messages held. */
export type PutResult = "new" | "changed" | "old" | "outside";

export class MessageWindow {
  private readonly byN = new Map<number, Message>();
  private sorted: Message[] = [];
  /** Changes of earlier messages, while a page with them is on its way: the page may have been read before. */
  private olderChanges: Map<number, Message> | undefined;
  private firstN: number | undefined;
  /** It began with a page: until then an earlier message may come after a later one. */
  private startsWithPage = false;
  private lastContiguousN = 0;

  /** The first `n` held, or, of an empty log, the one that would follow; undefined as long as nothing is known. */
  get first(): number | undefined {
    return this.firstN;
  }
  /** All from `first` up to this `n` are held; beyond it there may be holes. */
  get contiguousUpTo(): number {
    return this.lastContiguousN;
  }

  /** By `n`, ascending. */
  get messages(): readonly Message[] {
    return this.sorted;
  }

  put(message: Message): PutResult {
    if (this.firstN === undefined || (!this.startsWithPage && message.n < this.firstN)) {
      this.firstN = message.n;
      this.lastContiguousN = message.n - 1;
    }
    if (message.n < this.firstN) {
      const known = this.olderChanges?.get(message.n);
      if (known === undefined || known.seq < message.seq) this.olderChanges?.set(message.n, message);
      return "outside";
    }
    const known = this.byN.get(message.n);
    if (known !== undefined && known.seq >= message.seq) return "old";
    this.insert(message);
    return known === undefined ? "new" : "changed";
  }

  /**
   * Begins anew with a newest page. What was held within it or after it stays, in its newer state.
   * @param next  the `n` after the page's last, when the page is empty
   */
  restart(page: readonly Message[], next: number): void {
    const previous = this.sorted;
    this.sorted = [];
    this.byN.clear();
    this.startsWithPage = true;
    this.firstN = page[0]?.n ?? next;
    this.lastContiguousN = this.firstN - 1;
    for (const message of [...page, ...previous]) if (message.n >= this.firstN) this.put(message);
  }

  /** A page of older messages is asked for: changes of them are kept until it is here. */
  expectOlderPage(): void {
    this.olderChanges ??= new Map();
  }

  /**
   * Takes a page of older messages, that was asked for as those before `before`.
   * @param page  empty when none came
   * @returns what it brought; nothing when the log does not begin there any more
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

  /** The answer was whole: holes that it left are none. */
  closeGaps(): void {
    this.lastContiguousN = Math.max(this.lastContiguousN, this.messages.at(-1)?.n ?? 0);
  }

  private insert(message: Message): void {
    this.byN.set(message.n, message);
    while (this.byN.has(this.lastContiguousN + 1)) this.lastContiguousN++;
    // Nearly always the last.
    let index = this.sorted.length;
    while (index > 0 && this.sorted[index - 1]!.n >= message.n) index--;
    this.sorted.splice(index, this.sorted[index]?.n === message.n ? 1 : 0, message);
  }
}
