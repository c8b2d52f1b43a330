/** Creates users in groups of a given shape, for load processes. */
import type { Store } from "../../core/store/store.ts";
import { seedPeople } from "../../test/support/people/seeded-people.ts";
import type { Person } from "../../test/support/people/person.ts";
import { secret } from "../servers/servers.ts";
import type { LoadClient } from "../load/chat.ts";
import { openChats, seedGroup } from "./chats.ts";

/** Users who share the same chats and are in no others. */
export interface Circle {
  readonly people: readonly Person[];
  readonly chatIds: readonly string[];
}

/** Creates circles with `size` users in `chats` chats each. */
export async function seedCircles(
  store: Store,
  urls: readonly string[],
  wanted: readonly { readonly circles: number; readonly size: number; readonly chats: number }[],
): Promise<Circle[]> {
  const count = wanted.reduce((sum, { circles, size }) => sum + circles * size, 0);
  const people = await seedPeople(store, secret, urls, count);
  const db = await openChats(store);
  const made: Circle[] = [];
  for (const { circles, size, chats } of wanted) {
    for (let i = 0; i < circles; i++) {
      const members = people.splice(0, size);
      const userIds = members.map(({ id }) => id);
      const seeded = await Promise.all(Array.from({ length: chats }, () => seedGroup(db, userIds)));
      made.push({ people: members, chatIds: seeded.map(({ chatId }) => chatId) });
    }
  }
  return made;
}

/** The clients of a circle for a load process. */
export const loadClientsOf = ({ people, chatIds }: Circle): LoadClient[] => people.map(({ token }) => ({ token, chatIds }));
export const chatsOf = (circles: readonly Circle[]): string[] => circles.flatMap(({ chatIds }) => chatIds);
