/** Describes one change of a chat. messages/ and membership/ make changes; the timeline stores them. */
import type { Clock } from "../../../core/clock.ts";
import { Conflict } from "../../../core/errors.ts";
import type { MessageRow, MemberRow } from "../store/collections.ts";
import type { ChangeBatch } from "./batch.ts";
import type { SnapshotReads } from "./snapshot.ts";

/** A change: what to read, and how to decide. */
export interface Change<R> {
  /** The rows that the decision needs. */
  readonly reads: SnapshotReads;
  /** Estimate of the bytes that it writes. */
  readonly estimatedBytes: number;
  /** Decides, and adds its writes to the batch. Throws a refusal before it adds any. */
  readonly apply: (batch: ChangeBatch) => R;
  /** Key of a send. A repeat returns the message stored first. */
  readonly idempotencyKey?: IdempotencyKey<R>;
}
export interface IdempotencyKey<R> {
  readonly senderId: string;
  readonly clientId: string;
  readonly bodyHash: string;
  readonly repeatResult: (row: MessageRow, readers: readonly MemberRow[]) => R;
}

/** How long a change is retried, counted from its call: a little less than the caller waits. */
const changeTimeoutMs = 9000;
/** The expiry of the changes of a call that starts now. */
export const expiry = (clock: Clock): number => clock.now() + changeTimeoutMs;

/** @throws Conflict  the clientId was used for another body */
export function resultOfRepeat<R>(key: IdempotencyKey<R>, row: MessageRow, readers: readonly MemberRow[]): R {
  if (row.bodyHash !== key.bodyHash) throw new Conflict("This clientId was used for another message");
  return key.repeatResult(row, readers);
}
