/** What of an account leaves auth. Password hashes never do. */
import type { AccountRow } from "./accounts.repository.ts";
import type { Account, OwnAccount } from "./contract.ts";

export const account = ({ _id, emailId, firstName, lastName, createdAt }: AccountRow): Account => ({
  userId: _id,
  emailId,
  firstName,
  lastName,
  createdAt,
});

/** Every account has a password, and no address has been proven: there is only the password log-in. */
export const ownAccount = ({ _id, emailId, firstName, lastName, createdAt }: AccountRow): OwnAccount => ({
  _id,
  emailId,
  firstName,
  lastName,
  emailVerified: false,
  hasPassword: true,
  createdAt: new Date(createdAt).toISOString(),
});
