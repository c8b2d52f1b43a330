/**
 * The messages held of one chat: an unbroken run by `n`, from the oldest one loaded to the newest. What lies before it is not held,
 * also when it changes: a page of history brings it as it is then. Of two states of a message the one with the higher `seq` counts.
 */
import type { Message } from "./documents.ts";

/** `old`: this state or a newer one was held. `outside`: it lies before the messages held. */
export type Put = "new" | "changed" | "old" | "outside";

export class Log {
  private readonly byN = new Map<number, Message>();
  private sorted: Message[] = [];
  /** Changes of earlier messages, while a page with them is on its way: the page may have been read before. */
  private aside: Map<number, Message> | undefined;
  private from: number | undefined;
  /** It began with a page: until then an earlier message may come after a later one. */
  private hasBegun = false;
  private unbroken = 0;

  /** The first `n` held, or, of an empty log, the one that would follow; undefined as long as nothing is known. */
  get first(): number | undefined {
    return this.from;
  }
  /** All from `first` up to this `n` are held; beyond it there may be holes. */
  get solid(): number {
    return this.unbroken;
  }

  /** By `n`, ascending. */
  get messages(): readonly Message[] {
    return this.sorted;
  }

  put(message: Message): Put {
    if (this.from === undefined || (!this.hasBegun && message.n < this.from)) {
      this.from = message.n;
      this.unbroken = message.n - 1;
    }
    if (message.n < this.from) {
      const known = this.aside?.get(message.n);
      if (known === undefined || known.seq < message.seq) this.aside?.set(message.n, message);
      return "outside";
    }
    const known = this.byN.get(message.n);
    if (known !== undefined && known.seq >= message.seq) return "old";
    this.hold(message);
    return known === undefined ? "new" : "changed";
  }

  /**
   * Begins anew with a newest page. What was held within it or after it stays, in its newer state.
   * @param next  the `n` after the page's last, when the page is empty
   */
  restart(page: readonly Message[], next: number): void {
    const held = this.sorted;
    this.sorted = [];
    this.byN.clear();
    this.hasBegun = true;
    this.from = page[0]?.n ?? next;
    this.unbroken = this.from - 1;
    for (const message of [...page, ...held]) if (message.n >= this.from) this.put(message);
  }

  /** A page of older messages is asked for: changes of them are kept until it is here. */
  expectOlder(): void {
    this.aside ??= new Map();
  }

  /**
   * Takes a page of older messages, that was asked for as those before `before`.
   * @param page  empty when none came
   * @returns what it brought; nothing when the log does not begin there any more
   */
  prepend(page: readonly Message[], before: number): readonly Message[] {
    const newer = this.aside;
    this.aside = undefined;
    const [oldest] = page;
    if (oldest === undefined || this.from !== before) return [];
    this.from = oldest.n;
    return page.map((message) => {
      const later = newer?.get(message.n);
      const state = later !== undefined && later.seq > message.seq ? later : message;
      this.hold(state);
      return state;
    });
  }

  /** The answer was whole: holes that it left are none. */
  close(): void {
    this.unbroken = Math.max(this.unbroken, this.messages.at(-1)?.n ?? 0);
  }

  private hold(message: Message): void {
    this.byN.set(message.n, message);
    while (this.byN.has(this.unbroken + 1)) this.unbroken++;
    // Nearly always the last.
    let place = this.sorted.length;
    while (place > 0 && this.sorted[place - 1]!.n >= message.n) place--;
    this.sorted.splice(place, this.sorted[place]?.n === message.n ? 1 : 0, message);
  }
}
