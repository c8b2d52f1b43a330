/**
 * The one clock that nodes compare times by: the local clock corrected by its offset to the store's. Without it, a node whose
 * clock is off would refuse live calls as late, or miss changes when it asks what happened since.
 */
export interface Clock {
  /** Epoch milliseconds by the store's clock, as well as this node knows it. */
  now(): number;
  /** Local minus store time, milliseconds; undefined until the store has answered once. */
  offsetMs(): number | undefined;
  stop(): void;
}

const refreshMs = 10_000;
/** A slower exchange says too little of when in it the store read its clock. */
const maxRoundTripMs = 1000;
/** At the start, when nothing is known: of so many slow exchanges the quickest counts. */
const initialTries = 5;

/**
 * Follows the store's clock. Of each exchange the offset is taken at its middle, so the error is at most half its duration.
 * @param storeTime  asks the store for its time, epoch milliseconds
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
