/** Pages of people: one's contacts, and whom one has blocked. */
import type { Ctx } from "../../core/contract/call.ts";
import type { PersonSince } from "./contract.ts";
import { summariesById } from "./names.ts";
import type { Entry, Place } from "./requests.repository.ts";

/** Reads so many entries, newest first, from this place on. */
export type Read = (limit: number, from: Place | undefined) => Promise<readonly Entry[]>;

export interface PeoplePage {
  readonly people: PersonSince[];
  /** The cursor of the next page, where there is one. */
  readonly next?: string;
}

/** @param before  a cursor of an earlier page, in the form of the contract's rule */
export async function pageOfPeople(
  ctx: Ctx<unknown>,
  { limit, before }: { readonly limit: number; readonly before?: string | null | undefined },
  read: Read,
): Promise<PeoplePage> {
  const entries = await read(limit + 1, before == null ? undefined : placeOf(before));
  const page = entries.slice(0, limit);
  const last = entries.length > limit ? page.at(-1)! : undefined;
  return { people: await withNames(ctx, page), ...(last === undefined ? {} : { next: `${last.since}-${last._id}` }) };
}

function placeOf(cursor: string): Place {
  const [since, _id] = cursor.split("-") as [string, string];
  return [Number(since), _id];
}

const gone = { firstName: "Deleted", lastName: "user", profilePic: null } as const;

async function withNames(ctx: Ctx<unknown>, entries: readonly Entry[]): Promise<PersonSince[]> {
  const ids = entries.map(({ userId }) => userId);
  const summaries = await summariesById(ctx, ids);
  return entries.map(({ userId, since }) => ({ ...(summaries.get(userId) ?? { userId, ...gone }), since: new Date(since).toISOString() }));
}
