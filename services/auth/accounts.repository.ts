/** Stores accounts. A unique index allows one account per address. */
import { collection, type Database } from "../../core/store/store.ts";

export interface AccountRow {
  readonly _id: string;
  /** Trimmed and case-folded. */
  readonly emailId: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly passwordHash: string;
  /** Number of password changes. A log-in expects the one it checked, so that a replaced password can't start a session. */
  readonly passwordRev: number;
  /** Number of changes that were published to other services. */
  readonly rev: number;
  readonly createdAt: number;
}

export const accounts = collection<AccountRow>()("accounts", { byEmail: { fields: ["emailId"], unique: true } });

export async function accountByEmail(db: Database, emailId: string): Promise<AccountRow | undefined> {
  const [account] = await db.find(accounts, [{ emailId }]);
  return account;
}
