/**
 * Raises the delivered marks of a chat's members: what was handed to their devices here is collected and told to chat soon after
 * the first, then every two seconds at most. One's own messages alone are no reason to tell: a busy sender costs nothing.
 */
type WatermarksByUser = Readonly<Record<string, number>>;

const firstDelayMs = 100;
const intervalMs = 2000;
/** While chat is away it is asked less and less often. */
const maxIntervalMs = 32_000;

export class DeliveredWatermarks {
  private readonly raise: (watermarks: WatermarksByUser) => Promise<unknown>;
  /** Up to which message each has everything on a device here. */
  private readonly delivered = new Map<string, number>();
  /** What chat holds, as far as that is known. */
  private readonly stored = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private raisedAt = -Infinity;
  private currentIntervalMs = intervalMs;
  private isRaising = false;
  /** There is something to tell. */
  private isDue = false;

  constructor(raise: (watermarks: WatermarksByUser) => Promise<unknown>) {
    this.raise = raise;
  }

  /** @param isFromOthers  someone else's messages are among them */
  recordDelivered(userId: string, n: number, isFromOthers: boolean): void {
    if (n <= (this.delivered.get(userId) ?? 0)) return;
    this.delivered.set(userId, n);
    if (isFromOthers && n > (this.stored.get(userId) ?? 0)) this.schedule();
  }

  /** What chat holds, as an answer or a receipt says. */
  recordStored(userId: string, n: number): void {
    this.stored.set(userId, Math.max(n, this.stored.get(userId) ?? 0));
  }

  /** No member any more. */
  forget(userId: string): void {
    this.delivered.delete(userId);
    this.stored.delete(userId);
  }

  /** Tells what is left; then nothing is planned any more. */
  close(): void {
    clearTimeout(this.timer);
    const watermarks = this.isDue ? this.unreported() : {};
    if (Object.keys(watermarks).length > 0) this.raise(watermarks).catch(() => undefined); // told again when they are seated again
    this.delivered.clear();
  }

  private schedule(): void {
    this.isDue = true;
    if (this.timer !== undefined || this.isRaising) return;
    const waitMs = Math.max(firstDelayMs, this.raisedAt + this.currentIntervalMs - performance.now());
    this.timer = setTimeout(() => void this.flush(), waitMs).unref();
  }

  private unreported(): WatermarksByUser {
    return Object.fromEntries([...this.delivered].filter(([userId, n]) => n > (this.stored.get(userId) ?? 0)));
  }

  private async flush(): Promise<void> {
    this.timer = undefined;
    this.isDue = false;
    const watermarks = this.unreported();
    const reported = Object.entries(watermarks);
    if (reported.length === 0) return;
    this.isRaising = true;
    this.raisedAt = performance.now();
    try {
      await this.raise(watermarks);
      for (const [userId, n] of reported) if (this.delivered.has(userId)) this.recordStored(userId, n);
      this.currentIntervalMs = intervalMs;
    } catch {
      this.isDue = true; // what was handed stays, and is told with what comes
      this.currentIntervalMs = Math.min(this.currentIntervalMs * 2, maxIntervalMs);
    }
    this.isRaising = false;
    if (this.isDue && this.delivered.size > 0) this.schedule();
  }
}
