/** Handing one message to all who hear a channel: what both feed adapters do alike. */

/** Typed by the channel where it listens (`feed.ts`). */
export type Hear = (message: object, channel: string) => void;

/** One `listen`: the same function may listen twice. */
export interface Hearer {
  readonly hear: Hear;
}

/** Tells all who hear the channel now. One that throws neither stops the others nor reaches the publisher. */
export function tell(hearers: ReadonlySet<Hearer>, message: object, channel: string, thrown: (error: unknown) => void): void {
  // A copy, for a hearer may start or stop listening: who starts now is not told, who was stopped isn't either.
  for (const hearer of [...hearers]) {
    if (!hearers.has(hearer)) continue;
    try {
      hearer.hear(message, channel);
    } catch (error) {
      thrown(error);
    }
  }
}
