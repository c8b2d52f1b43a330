/**
 * Raises the delivered marks of a chat's members: what was handed to their devices here is collected and told to chat soon after
 * the first, then every two seconds at most. One's own messages alone are no reason to tell: a busy sender costs nothing.
 */
type Marks = Readonly<Record<string, number>>;

const soonMs = 100;
const everyMs = 2000;
/** While chat is away it is asked less and less often. */
const longestMs = 32_000;

export class Deliveries {
  private readonly raise: (marks: Marks) => Promise<unknown>;
  /** Up to which message each has everything on a device here. */
  private readonly handed = new Map<string, number>();
  /** What chat holds, as far as that is known. */
  private readonly stored = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private raisedAt = -Infinity;
  private pauseMs = everyMs;
  private isRaising = false;
  /** There is something to tell. */
  private isDue = false;

  constructor(raise: (marks: Marks) => Promise<unknown>) {
    this.raise = raise;
  }

  /** @param isNews  someone else's messages are among them */
  hand(userId: string, n: number, isNews: boolean): void {
    if (n <= (this.handed.get(userId) ?? 0)) return;
    this.handed.set(userId, n);
    if (isNews && n > (this.stored.get(userId) ?? 0)) this.plan();
  }

  /** What chat holds, as an answer or a receipt says. */
  learn(userId: string, n: number): void {
    this.stored.set(userId, Math.max(n, this.stored.get(userId) ?? 0));
  }

  /** No member any more. */
  forget(userId: string): void {
    this.handed.delete(userId);
    this.stored.delete(userId);
  }

  /** Tells what is left; then nothing is planned any more. */
  close(): void {
    clearTimeout(this.timer);
    const marks = this.isDue ? this.marks() : {};
    if (Object.keys(marks).length > 0) this.raise(marks).catch(() => undefined); // told again when they are seated again
    this.handed.clear();
  }

  private plan(): void {
    this.isDue = true;
    if (this.timer !== undefined || this.isRaising) return;
    const waitMs = Math.max(soonMs, this.raisedAt + this.pauseMs - performance.now());
    this.timer = setTimeout(() => void this.flush(), waitMs).unref();
  }

  private marks(): Marks {
    return Object.fromEntries([...this.handed].filter(([userId, n]) => n > (this.stored.get(userId) ?? 0)));
  }

  private async flush(): Promise<void> {
    this.timer = undefined;
    this.isDue = false;
    const marks = this.marks();
    const told = Object.entries(marks);
    if (told.length === 0) return;
    this.isRaising = true;
    this.raisedAt = performance.now();
    try {
      await this.raise(marks);
      for (const [userId, n] of told) if (this.handed.has(userId)) this.learn(userId, n);
      this.pauseMs = everyMs;
    } catch {
      this.isDue = true; // what was handed stays, and is told with what comes
      this.pauseMs = Math.min(this.pauseMs * 2, longestMs);
    }
    this.isRaising = false;
    if (this.isDue && this.handed.size > 0) this.plan();
  }
}
