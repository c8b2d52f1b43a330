/**
 * Performs random operations of users at their clients: they send and change messages, read, add, remove and leave, each based on what
 * their own client shows. Refusals and lost answers are accepted.
 */
import { Parley, ParleyError } from "../../../client/index.ts";
import type { MessageView } from "../../../client/index.ts";
import type { Received } from "../people/person.ts";
import { weighted } from "../random.ts";
import { randomChange } from "./message-changes.ts";

export interface DayParticipant {
  readonly parley: Parley;
  readonly userId: string;
}
interface RandomDay {
  readonly people: readonly DayParticipant[];
  readonly chance: () => number;
}
type RandomOperation = "send" | "change" | "read" | "add" | "remove" | "leave";

const weights: readonly (readonly [RandomOperation, number])[] = [
  ["send", 45],
  ["change", 32],
  ["read", 12],
  ["add", 6],
  ["remove", 3],
  ["leave", 2],
];

/** Performs one operation of one user. @returns the operation and its refusal, if any; undefined if there was nothing to act on */
export async function performRandomOperation(
  { people, chance }: RandomDay,
  i: number,
): Promise<{ act: string; refused?: string } | undefined> {
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(chance() * all.length)];
  const person = pick(people)!;
  const [chosen] = weighted(weights, ([, weight]) => weight, chance());
  const chat = pick(person.parley.chats().toSorted((x, y) => (x._id < y._id ? -1 : 1)));
  if (chat === undefined) return undefined;
  const other = pick(people.filter(({ userId }) => userId !== person.userId))!;
  const message = pick(person.parley.messages(chat._id).slice(-40));
  try {
    await operations[chosen]({
      ...person,
      chatId: chat._id,
      message,
      otherId: other.userId,
      text: `text ${i}`,
      chance,
    });
    return { act: chosen };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    // VALIDATION is expected only if another user added the same member meanwhile.
    if (error.code === "INTERNAL" || (error.code === "VALIDATION" && chosen !== "add")) throw error;
    return { act: chosen, refused: error.code };
  }
}

interface OperationContext extends DayParticipant {
  readonly chatId: string;
  readonly message: MessageView | undefined;
  readonly otherId: string;
  readonly text: string;
  readonly chance: () => number;
}

/** Whether the group still has two members after one leaves. */
const isCrowded = (parley: Parley, chatId: string): boolean => (parley.chat(chatId)?.memberCount ?? 0) > 2;

const operations: Readonly<Record<RandomOperation, (doing: OperationContext) => Promise<unknown>>> = {
  send: ({ parley, chatId, text }) => Promise.resolve(parley.send(chatId, text)),
  change: ({ parley, message, chance }) => {
    const isStored = message !== undefined && message._id !== "" && message.n >= 1;
    return isStored ? (randomChange(parley, [message], chance, { isRefusable: true })?.make() ?? Promise.resolve()) : Promise.resolve();
  },
  read: ({ parley, chatId, message }) => {
    if (message !== undefined && message.n >= 1) parley.markRead(chatId, message.n);
    return Promise.resolve();
  },
  add: async ({ parley, chatId, otherId }) => {
    const { members = [], chatType } = parley.chat(chatId) ?? {};
    if (chatType === "group" && !members.some(({ userId }) => userId === otherId)) await parley.groups.add(chatId, otherId);
  },
  remove: async ({ parley, chatId, otherId }) => {
    if (isCrowded(parley, chatId)) await parley.groups.remove(chatId, otherId);
  },
  leave: async ({ parley, chatId }) => {
    if (isCrowded(parley, chatId)) await parley.groups.leave(chatId);
  },
};

/**
 * Lists where a client's view differs from the store, field by field: its chats, and the messages and members' marks of each.
 * @param ask  gets the user's answer over HTTP
 */
export async function viewDifferences({ parley }: DayParticipant, ask: (path: string) => Promise<Received>): Promise<string[]> {
  const found: string[] = [];
  const compare = (where: string, held: unknown, stored: unknown) => {
    for (const key of new Set([...Object.keys(held as object), ...Object.keys(stored as object)])) {
      const [ours, theirs] = [held, stored].map((one) => JSON.stringify((one as Record<string, unknown>)[key]));
      if (ours !== theirs) found.push(`${where}.${key}: ${ours} instead of ${theirs}`);
    }
  };
  const stored: Received[] = await ask("/chat/my-chats?limit=200");
  const [held, there] = [parley.chats(), stored].map((chats) => chats.map(({ _id }) => _id as string));
  compare("chats", { ids: held!.toSorted() }, { ids: there!.toSorted() });
  for (const chat of stored) {
    const view = parley.chat(chat._id);
    if (view === undefined) continue;
    compare(`chat ${chat._id}`, view, chat);
    // A message that was refused while the user was no member is shown to its sender only.
    const shown = parley.messages(chat._id).filter(({ state }) => state !== "failed");
    const messages = shown.map((view) => ({ ...view, state: undefined, failure: undefined }));
    const all = await wholeHistory((after) => ask(`/chat/messages/${chat._id}?limit=200&after=${after}`));
    const first = messages[0]?.n ?? Infinity;
    const due = all.filter(({ n }) => n >= first);
    compare(`chat ${chat._id}`, { ns: messages.map(({ n }) => n) }, { ns: due.map(({ n }) => n) });
    if (messages.length === 0 && all.length > 0) found.push(`chat ${chat._id} holds none of ${all.length} messages`);
    due.forEach((message, index) => compare(`message ${chat._id} ${message.n}`, messages[index] ?? {}, message));
  }
  return found;
}

async function wholeHistory(page: (after: number) => Promise<Received[]>): Promise<Received[]> {
  const all: Received[] = [];
  for (;;) {
    const messages = await page(all.at(-1)?.n ?? 0);
    if (messages.length === 0) return all;
    all.push(...messages);
  }
}
