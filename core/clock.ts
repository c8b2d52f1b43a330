/**
 * Corrects the local clock by its offset to the store's clock, so that all nodes compare times by one clock. Without it, a node whose
 * clock is wrong would refuse live calls as late, or miss changes when it asks for those since a given time.
 */
export interface Clock {
  /** This node's estimate of the store's time, epoch milliseconds. */
  now(): number;
  /** Local time minus store time, milliseconds; undefined until the store has answered once. */
  offsetMs(): number | undefined;
  stop(): void;
}

const refreshMs = 10_000;
/** A slower exchange is too imprecise: the store may have read its clock at any moment of it. */
const maxRoundTripMs = 1000;
/** At the start, if all exchanges are this slow, the fastest of this many is used. */
const initialTries = 5;

/**
 * Follows the store's clock. The offset is computed at the middle of each exchange, so the error is at most half its duration.
 * @param storeTime  reads the store's time, epoch milliseconds
 */
export async function followClock(storeTime: () => Promise<number>): Promise<Clock> {
  let offset: number | undefined;
  let shortestRoundTripMs = Infinity;
  const refresh = async () => {
    const sentAt = Date.now();
    const time = await storeTime();
    const receivedAt = Date.now();
    const roundTripMs = receivedAt - sentAt;
    if (roundTripMs <= maxRoundTripMs || roundTripMs < shortestRoundTripMs) offset = (sentAt + receivedAt) / 2 - time;
    shortestRoundTripMs = Math.min(shortestRoundTripMs, roundTripMs);
  };
  for (let tries = 0; tries < initialTries && shortestRoundTripMs > maxRoundTripMs; tries++) await refresh();
  const timer = setInterval(() => void refresh().catch(() => undefined), refreshMs);
  timer.unref();
  return {
    now: () => Math.round(Date.now() - (offset ?? 0)),
    offsetMs: () => offset,
    stop: () => clearInterval(timer),
  };
}
