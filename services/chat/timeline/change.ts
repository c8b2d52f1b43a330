/** Describes one change of a chat, which messages/ and membership/ hand to its timeline. */
import type { Clock } from "../../../core/clock.ts";
import { Conflict } from "../../../core/errors.ts";
import type { MessageRow, MemberRow } from "../store/collections.ts";
import type { ChangeBatch } from "./batch.ts";
import type { SnapshotReads } from "./snapshot.ts";

/** One change, as data and a decision. */
export interface Change<R> {
  /** The rows that the decision rests on. */
  readonly reads: SnapshotReads;
  /** About how many bytes it writes. */
  readonly estimatedBytes: number;
  /** Decides on this head and writes to the draft. A refusal is thrown, before anything is written. */
  readonly apply: (batch: ChangeBatch) => R;
  /** A send's key: a repeat is answered with the first one's message. */
  readonly idempotencyKey?: IdempotencyKey<R>;
}
export interface IdempotencyKey<R> {
  readonly senderId: string;
  readonly clientId: string;
  readonly bodyHash: string;
  readonly repeatResult: (row: MessageRow, readers: readonly MemberRow[]) => R;
}

/** How long a change is tried, from its call on: a little less than its caller waits. */
const changeTimeoutMs = 9000;
/** When changes of a call that begins now expire. */
export const expiry = (clock: Clock): number => clock.now() + changeTimeoutMs;

/** @throws Conflict  the same clientId with another body */
export function resultOfRepeat<R>(key: IdempotencyKey<R>, row: MessageRow, readers: readonly MemberRow[]): R {
  if (row.bodyHash !== key.bodyHash) throw new Conflict("This clientId was used for another message");
  return key.repeatResult(row, readers);
}
