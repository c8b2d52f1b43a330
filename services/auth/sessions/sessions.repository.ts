/** Stores sessions. A row stays until its token has expired. */
import { collection, type Database } from "../../../core/store/store.ts";
import type { RevocationReason } from "../contract.ts";

export interface SessionRow {
  readonly _id: string;
  readonly userId: string;
  /** The `passwordRev` with which the session started, or to which its user changed the password in it. */
  readonly passwordRev: number;
  readonly device: string;
  readonly address: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  /** When its token expires. */
  readonly expiresAt: number;
  readonly revokedAt: number | null;
  readonly reason: RevocationReason | null;
}
export type RevokedSession = SessionRow & { readonly revokedAt: number; readonly reason: RevocationReason };

export const sessions = collection<SessionRow>()("sessions", {
  byUser: { fields: ["userId", "revokedAt", "passwordRev", "_id"] },
  byRevocation: { fields: ["revokedAt", "_id"] },
  byExpiry: { fields: ["expiresAt", "_id"] },
});

/** A user's sessions that one commit ended, at most 1000. */
export const sessionsEndedAt = (db: Database, userId: string, at: number): Promise<RevokedSession[]> =>
  db.page(sessions, { index: "byUser", where: { userId, revokedAt: at }, limit: 1000 }) as Promise<RevokedSession[]>;

/** @param after  exclusive: a store time, or a store time and the id of a session revoked at it */
export const sessionsRevokedAfter = (db: Database, after: readonly (string | number)[], limit: number): Promise<RevokedSession[]> =>
  db.page(sessions, { index: "byRevocation", after, limit }) as Promise<RevokedSession[]>;

export const sessionsExpiredBefore = (db: Database, time: number, limit: number): Promise<SessionRow[]> =>
  db.page(sessions, { index: "byExpiry", before: [time], limit });
