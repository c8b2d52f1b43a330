/** Defines the messages between the main thread and the writer thread. Imports types only, so that the thread loads little code. */
import type { Statement, StatementCall } from "./statements.ts";

/** Commits to write in one transaction, with the statements that they use for the first time. */
export interface CommitGroup {
  /** Number of the first statement. */
  readonly first: number;
  readonly statements: readonly Statement[];
  readonly commits: readonly (readonly StatementCall[])[];
}

/** Why a commit failed. */
export type CommitFailure =
  | { readonly kind: "conflict" }
  /** `constraint` as SQLite names it: `chat_messages.chatId, chat_messages.n`. */
  | { readonly kind: "duplicate"; readonly constraint: string }
  /** The disk is full, broken or missing. */
  | { readonly kind: "unavailable"; readonly detail: string }
  | { readonly kind: "error"; readonly detail: string };

/** Outcome of a group: undefined when every commit succeeded, otherwise one entry for each commit. */
export type GroupOutcome = readonly (CommitFailure | undefined)[] | undefined;
