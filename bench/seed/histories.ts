/** Creates a chat of 1,000 messages and one of 1,000,000, each with its own two members, who have read all of it. */
import type { Store } from "../../core/store/store.ts";
import type { Person } from "../../test/support/people/person.ts";
import { seedPeople } from "../../test/support/people/seeded-people.ts";
import { secret } from "../servers/servers.ts";
import { openChats, seedGroup, type SeededChat } from "./chats.ts";

export interface History extends SeededChat {
  readonly reader: Person;
}
export interface Histories {
  readonly long: History;
  readonly short: History;
}

const messagesIn = { long: 1_000_000, short: 1000 };

export async function seedHistories(store: Store, urls: readonly string[]): Promise<Histories> {
  const [a, b, c, d] = (await seedPeople(store, secret, urls, 4)) as [Person, Person, Person, Person];
  const db = await openChats(store);
  const short = await seedGroup(db, [a.id, b.id], messagesIn.short);
  const long = await seedGroup(db, [c.id, d.id], messagesIn.long);
  return { short: { ...short, reader: a }, long: { ...long, reader: c } };
}
