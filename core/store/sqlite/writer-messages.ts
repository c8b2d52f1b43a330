/** What the main thread and the writer thread tell each other. Imports nothing at run time: the thread loads little. */
import type { Statement, StatementCall } from "./statements.ts";

/** Commits that become one transaction, and the statements they are the first to use. */
export interface CommitGroup {
  /** The number of the first of the statements. */
  readonly first: number;
  readonly statements: readonly Statement[];
  readonly commits: readonly (readonly StatementCall[])[];
}

/** Why a commit did not happen. */
export type CommitFailure =
  | { readonly kind: "conflict" }
  /** `constraint` as SQLite names it: `chat_messages.chatId, chat_messages.n`. */
  | { readonly kind: "duplicate"; readonly constraint: string }
  /** The disk: full, broken, gone. */
  | { readonly kind: "unavailable"; readonly detail: string }
  | { readonly kind: "error"; readonly detail: string };

/** A group's outcome: undefined when all its commits happened, else one entry each. */
export type GroupOutcome = readonly (CommitFailure | undefined)[] | undefined;
