/** Defines auth's documents as they leave the server. */

/** One's own account as it leaves the server. */
export interface OwnAccount {
  readonly _id: string;
  readonly emailId: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  /** ISO-8601. */
  readonly createdAt: string;
}
