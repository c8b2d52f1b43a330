/**
 * Reports to chat how far messages were delivered to members' devices on this gateway. Deliveries are collected: the first report
 * goes out after 100 ms, later ones at most every two seconds. A user's own messages alone cause no report, so a busy sender costs
 * nothing.
 */
type WatermarksByUser = Readonly<Record<string, number>>;

const firstDelayMs = 100;
const intervalMs = 2000;
/** Maximum interval while chat is unavailable; it doubles with each failure. */
const maxIntervalMs = 32_000;

export class DeliveredWatermarks {
  private readonly raise: (watermarks: WatermarksByUser) => Promise<unknown>;
  /** By user: a device connected here has every message up to this one. */
  private readonly delivered = new Map<string, number>();
  /** By user: the watermark stored by chat, as far as it is known here. */
  private readonly stored = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private raisedAt = -Infinity;
  private currentIntervalMs = intervalMs;
  private isRaising = false;
  /** A report is due. */
  private isDue = false;

  constructor(raise: (watermarks: WatermarksByUser) => Promise<unknown>) {
    this.raise = raise;
  }

  /** @param isFromOthers  the delivered messages include other users' */
  recordDelivered(userId: string, n: number, isFromOthers: boolean): void {
    if (n <= (this.delivered.get(userId) ?? 0)) return;
    this.delivered.set(userId, n);
    if (isFromOthers && n > (this.stored.get(userId) ?? 0)) this.schedule();
  }

  /** Records the watermark stored by chat, as an answer or a receipt shows it. */
  recordStored(userId: string, n: number): void {
    this.stored.set(userId, Math.max(n, this.stored.get(userId) ?? 0));
  }

  /** Call it when the user is no longer a member. */
  forget(userId: string): void {
    this.delivered.delete(userId);
    this.stored.delete(userId);
  }

  /** Reports what is left, and schedules no more reports. */
  close(): void {
    clearTimeout(this.timer);
    const watermarks = this.isDue ? this.unreported() : {};
    if (Object.keys(watermarks).length > 0) this.raise(watermarks).catch(() => undefined); // reported again after the sockets subscribe again
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
      this.isDue = true; // the deliveries are kept for the next report
      this.currentIntervalMs = Math.min(this.currentIntervalMs * 2, maxIntervalMs);
    }
    this.isRaising = false;
    if (this.isDue && this.delivered.size > 0) this.schedule();
  }
}
