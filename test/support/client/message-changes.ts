/**
 * The changes that random users make to stored messages. The types ask about each action of chat that returns one, so that the tests of
 * faults and of clients' views try all that change one.
 */
import type { Message, Parley } from "../../../client/index.ts";
import type { Returns } from "../../../core/contract/contract.ts";
import type { chat } from "../../../services/chat/contract.ts";
import { weighted } from "../random.ts";

type ReturnsMessage<Action> = Action extends { result: Returns<infer R> } ? ([R] extends [Message] ? true : false) : never;
type ActionsOnMessages = { [K in keyof typeof chat]: ReturnsMessage<(typeof chat)[K]> extends true ? K : never }[keyof typeof chat];

/** One change of one message. */
export interface RandomChange {
  readonly messageId: string;
  /** The property that changes, such as "text of <id>". A later change with the same key replaces it. */
  readonly key: string;
  readonly make: () => Promise<unknown>;
  /** Whether a stored message shows the change. */
  readonly holds: (stored: Message) => boolean;
}

interface ChangeKind {
  /** How often it is chosen, compared with the others. */
  readonly weight: number;
  /** Whether only the sender makes it: others may not, or a property that several users change would have no expected value. */
  readonly isSendersOnly: boolean;
  /** @param chance  returns random numbers from 0 to 1 */
  readonly on: (message: Pick<Message, "_id" | "chatId">, parley: Parley, chance: () => number) => Omit<RandomChange, "messageId">;
}

const emojis = ["👍", "❤️", "😂", "🎉"] as const;

/** Each action whose result is a message, and how a user changes one with it. Null if users do not change one with it. */
const messageChanges = {
  // Internal: it carries out some of the others.
  changeMessage: null,
  edit: {
    weight: 15,
    isSendersOnly: true,
    on({ _id }, parley, chance) {
      const edited = `edit ${Math.floor(chance() * 1e9)}`;
      return { key: `text of ${_id}`, make: () => parley.edit(_id, edited), holds: ({ text }) => text === edited };
    },
  },
  remove: {
    weight: 5,
    isSendersOnly: true,
    on: ({ _id }, parley) => ({
      key: `deletion of ${_id}`,
      make: () => parley.delete(_id),
      holds: ({ deletedAt }) => deletedAt !== null,
    }),
  },
  react: {
    weight: 20,
    isSendersOnly: false,
    on({ _id }, parley, chance) {
      const emoji = emojis[Math.floor(chance() * emojis.length)]!;
      const isOn = chance() < 0.7;
      const userId = parley.me._id;
      return {
        key: `${emoji} of ${userId} at ${_id}`,
        make: () => parley.react(_id, emoji, isOn),
        holds: ({ reactions }) => (reactions[emoji]?.userIds ?? []).includes(userId) === isOn,
      };
    },
  },
} as const satisfies Readonly<Record<ActionsOnMessages, ChangeKind | null>>;

type ChangeKinds = typeof messageChanges;
/** The actions that change a message. */
export type ChangingAction = { [K in keyof ChangeKinds]: ChangeKinds[K] extends null ? never : K }[keyof ChangeKinds];
export const changingActions = Object.keys(messageChanges).filter(
  (action): action is ChangingAction => messageChanges[action as keyof ChangeKinds] !== null,
);

/**
 * Chooses a change and a message for it.
 * @param messages  those that the user sees
 * @param actions  those to choose from. Default all
 * @param isRefusable  whether users also try what only the sender may do. Default no
 * @returns undefined if there is no message for the chosen change
 */
export function randomChange(
  parley: Parley,
  messages: readonly Pick<Message, "_id" | "chatId" | "senderId">[],
  chance: () => number,
  { actions = changingActions, isRefusable = false }: { readonly actions?: readonly ChangingAction[]; readonly isRefusable?: boolean } = {},
): RandomChange | undefined {
  const kinds = actions.map((action): ChangeKind => messageChanges[action]);
  const kind = weighted(kinds, ({ weight }) => weight, chance());
  const choice = kind.isSendersOnly && !isRefusable ? messages.filter(({ senderId }) => senderId === parley.me._id) : messages;
  const message = choice[Math.floor(chance() * choice.length)];
  return message && { messageId: message._id, ...kind.on(message, parley, chance) };
}
