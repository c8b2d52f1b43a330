/** Pages through a user's contacts and blocked users. */
import type { Ctx } from "../../../core/contract/call.ts";
import { pageOf, positionAt, type PagePosition } from "../../../core/contract/paging.ts";
import type { PersonSince } from "../contract.ts";
import { summariesById } from "./profile-summaries.ts";
import type { PersonEntry } from "../requests.repository.ts";

/** Reads so many entries that follow this position, newest first. */
export type ReadPeople = (limit: number, before: PagePosition | undefined) => Promise<readonly PersonEntry[]>;

export interface PeoplePage {
  readonly people: PersonSince[];
  /** The cursor of the next page, if any. */
  readonly next?: string;
}

/** @param before  a cursor of an earlier page, in the form of the contract's rule */
export async function pageOfPeople(
  ctx: Ctx<unknown>,
  { limit, before }: { readonly limit: number; readonly before?: string | null | undefined },
  readPeople: ReadPeople,
): Promise<PeoplePage> {
  const entries = await readPeople(limit + 1, before == null ? undefined : positionAt(before));
  const { page, ...next } = pageOf(entries, limit, ({ since, _id }) => [since, _id]);
  return { people: await withSummaries(ctx, page), ...next };
}

const deletedPerson = { firstName: "Deleted", lastName: "user", profilePic: null } as const;

async function withSummaries(ctx: Ctx<unknown>, entries: readonly PersonEntry[]): Promise<PersonSince[]> {
  const ids = entries.map(({ userId }) => userId);
  const summaries = await summariesById(ctx, ids);
  return entries.map(({ userId, since }) => ({
    ...(summaries.get(userId) ?? { userId, ...deletedPerson }),
    since: new Date(since).toISOString(),
  }));
}
