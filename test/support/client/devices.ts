/** Opens clients of the library for the factory's users, and closes them when the test file ends. */
import { afterAll } from "@jest/globals";
import { Parley, type Events, type MessageView, type Storage } from "../../../client/index.ts";
import { eventually } from "../eventually.ts";
import type { Person } from "../people/person.ts";

const opened: Parley[] = [];
afterAll(async () => {
  await Promise.all(opened.splice(0).map((client) => client.close()));
});

/** Opens a client of this user, and waits until it is online. */
export async function openDevice(
  { url, token }: Person,
  options: { readonly url?: string; readonly storage?: Storage } = {},
): Promise<Parley> {
  const client = await Parley.resume({ url, token, ...options });
  opened.push(client);
  await client.online();
  return client;
}

/** Collects the data of an event from now on. */
export function eventsOf<K extends keyof Events>(client: Parley, event: K): Events[K][] {
  const received: Events[K][] = [];
  client.on(event, (data) => received.push(data));
  return received;
}

export const texts = (client: Parley, chatId: string): string[] => client.messages(chatId).map(({ text }) => text);

/** Waits until the client's messages of the chat satisfy the predicate. */
export const waitForView = (
  client: Parley,
  chatId: string,
  what: string,
  isSo: (messages: readonly MessageView[]) => boolean,
): Promise<boolean> => eventually(`${client.me.emailId} sees ${what}`, () => isSo(client.messages(chatId)));

/** Waits until all messages that the client is sending in the chat are stored. */
export async function waitUntilStored(client: Parley, chatId: string): Promise<void> {
  const sending = client.messages(chatId).filter(({ state }) => state === "sending");
  await Promise.all(sending.map((message) => client.stored(message)));
}
