/** Maps account rows to what auth returns and publishes. Password hashes are never included. */
import type { AccountRow } from "./accounts.repository.ts";
import type { Account, OwnAccount } from "./contract.ts";

export const account = ({ _id, emailId, firstName, lastName, createdAt }: AccountRow): Account => ({
  userId: _id,
  emailId,
  firstName,
  lastName,
  createdAt,
});

/** Every account has a password and no address is verified, because passwords are the only way to log in. */
export const ownAccount = ({ _id, emailId, firstName, lastName, createdAt }: AccountRow): OwnAccount => ({
  _id,
  emailId,
  firstName,
  lastName,
  emailVerified: false,
  hasPassword: true,
  createdAt: new Date(createdAt).toISOString(),
});
