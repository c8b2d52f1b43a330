/** Accounts as auth stores them. An address has one account by index, whatever races. */
import { collection, type Database } from "../../core/store/store.ts";

export interface AccountRow {
  readonly _id: string;
  /** Trimmed and case-folded. */
  readonly emailId: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly passwordHash: string;
  /** Counts password changes: a log-in expects the one it checked, so that none gets in with a password just replaced. */
  readonly passwordRev: number;
  /** Counts changes that other services hear of. */
  readonly rev: number;
  readonly createdAt: number;
}

export const accounts = collection<AccountRow>()("accounts", { byEmail: { fields: ["emailId"], unique: true } });

export async function accountByEmail(db: Database, emailId: string): Promise<AccountRow | undefined> {
  const [account] = await db.find(accounts, [{ emailId }]);
  return account;
}
