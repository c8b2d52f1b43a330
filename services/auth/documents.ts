/** Types of the documents that auth returns. Clients see them, so they import nothing of the server. */

/** The user's own account as the API returns it. */
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
