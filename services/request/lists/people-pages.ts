/** Pages through a user's contacts and blocked users. */
import type { Ctx } from "../../../core/contract/call.ts";
import type { PersonSince } from "../contract.ts";
import { summariesById } from "./profile-summaries.ts";
import type { PersonEntry, PeopleCursor } from "../requests.repository.ts";

/** Reads so many entries, newest first, from this position on. */
export type ReadPeople = (limit: number, cursor: PeopleCursor | undefined) => Promise<readonly PersonEntry[]>;

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
  const entries = await readPeople(limit + 1, before == null ? undefined : parseCursor(before));
  const page = entries.slice(0, limit);
  const last = entries.length > limit ? page.at(-1)! : undefined;
  return { people: await withSummaries(ctx, page), ...(last === undefined ? {} : { next: `${last.since}-${last._id}` }) };
}

function parseCursor(cursor: string): PeopleCursor {
  const [since, _id] = cursor.split("-") as [string, string];
  return [Number(since), _id];
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
