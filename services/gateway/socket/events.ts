/** What clients may send over a socket, as a table: one row an event. */
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import type { ActionRef } from "../../../core/contract/contract.ts";
import { TooMany, Unavailable } from "../../../core/errors.ts";
import { histogram } from "../../../core/metrics/declare.ts";
import type { Infer, Input, Rules } from "../../../core/contract/schema.ts";
import type { SecurityLog } from "../../../core/security/log.ts";
import { chat } from "../../chat/contract.ts";
import { draftRules, stored, toStore } from "../draft.ts";
import { rateLimited } from "../http/allowances.ts";
import type { Sessions } from "../sessions.ts";
import { strictCheck, type Check } from "../strict.ts";
import type { Allowance } from "./allowance.ts";
import type { Answer, Live } from "./live.ts";
import { metaOf, type PersonSocket } from "./person.ts";
import { Sends } from "./sends.ts";

export interface EventSurroundings {
  readonly security: SecurityLog;
  readonly broker: ServiceBroker;
  readonly live: Live;
  readonly sessions: Pick<Sessions, "isReady">;
  /** Messages a person may send; counted apart from other events. */
  readonly messages: Allowance;
  readonly others: Allowance;
}

export type Refusal = TooMany | Unavailable;

/**
 * @typeParam A  the action's rules
 * @typeParam P  the payload's: the action's, unless the row has its own
 */
interface EventSpec<A extends Rules, P extends Rules> {
  readonly event: string;
  /** What answers it. */
  readonly action: ActionRef<A>;
  /** The action's if not given. */
  readonly summary?: string;
  readonly rules?: P;
  /** Which allowance it is counted in. */
  readonly counts: "messages" | "others";
  /** @param refusal  the allowance is spent, or the session may have ended; a message takes its place in its queue before it is told */
  readonly answer: (around: EventSurroundings, socket: PersonSocket, params: Infer<P>, refusal?: Refusal) => Promise<Answer<unknown>>;
}
export interface EventRow extends Required<EventSpec<Rules, Rules>> {
  readonly check: Check;
}

const sendSeconds = histogram("parley_send_seconds", "From a message on a socket to its acknowledgement, of those that were stored", {
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

function row<A extends Rules, const P extends Rules = A>(spec: EventSpec<A, P>): EventRow {
  const { summary, params } = spec.action;
  const rules: Rules = spec.rules ?? params;
  return { summary, ...spec, rules, check: strictCheck(rules) } as EventRow;
}

export const events: readonly EventRow[] = [
  row({
    event: "joinChat",
    summary: "Hear one chat",
    action: chat.view,
    counts: "others",
    answer: ({ live }, socket, params) => live.join(socket, params),
  }),
  row({
    event: "leaveChat",
    summary: "Hear one chat no more",
    action: chat.view,
    counts: "others",
    answer: ({ live }, socket, params) => live.leave(socket, params),
  }),
  row({
    event: "subscribe",
    summary: "What changed since, and from now on all own chats, present and future",
    action: chat.sync,
    counts: "others",
    answer: ({ live }, socket, params) => live.subscribe(socket, params),
  }),
  row({
    event: "sync",
    summary: "What changed since in all own chats",
    action: chat.sync,
    counts: "others",
    answer: ({ live }, socket, params) => live.sync(socket, params),
  }),
  row({
    event: "sendMessage",
    summary: "Store a message and deliver it; acknowledged when it is stored",
    action: chat.send,
    rules: { chatId: chat.send.params.chatId, ...draftRules },
    counts: "messages",
    async answer({ broker }, socket, { chatId, ...draft }, refusal) {
      const attempt = { message: toStore(draft), isRepeatable: draft.clientId !== undefined, refusal };
      const began = performance.now();
      const sent = await sendsOf(broker, socket, chatId).send(attempt);
      sendSeconds.of(broker).observe((performance.now() - began) / 1000);
      socket.data.typed.forget(chatId); // a message ends the typing everywhere: saying so again is news
      return { data: stored(sent).message };
    },
  }),
  row({
    event: "editMessage",
    action: chat.edit,
    counts: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.edit, params, metaOf(socket)) }),
  }),
  row({
    event: "deleteMessage",
    action: chat.remove,
    counts: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.remove, params, metaOf(socket)) }),
  }),
  row({
    event: "react",
    action: chat.react,
    counts: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.react, params, metaOf(socket)) }),
  }),
  row({
    event: "markRead",
    action: chat.markRead,
    counts: "others",
    async answer({ broker }, socket, params) {
      const { readN, unread } = await call(broker, chat.markRead, params, metaOf(socket));
      return { data: { readN, unread } };
    },
  }),
  row({
    event: "typing",
    action: chat.typing,
    counts: "others",
    async answer({ broker }, socket, params) {
      await socket.data.typed.say(params, () => call(broker, chat.typing, params, metaOf(socket)));
      return { data: null };
    },
  }),
];

/** Counts an event. @returns why it may not happen now */
export function spend({ messages, others, sessions }: EventSurroundings, counts: EventRow["counts"], userId: string): Refusal | undefined {
  // After this process stood still: a restore may have ended the session, and the message may be from before it.
  if (!sessions.isReady()) return new Unavailable();
  const waitMs = (counts === "messages" ? messages : others).take(userId);
  if (waitMs === 0) return undefined;
  const limit = `socket-${counts}`;
  rateLimited.of().inc({ limit });
  return new TooMany(waitMs, undefined, limit);
}

/** Queues that a socket keeps; idle ones make room for others. */
const queuesKept = 100;

function sendsOf(broker: ServiceBroker, socket: PersonSocket, chatId: string): Sends {
  const { sends } = socket.data;
  const known = sends.get(chatId);
  if (known !== undefined) return known;
  if (sends.size >= queuesKept) for (const [id, queue] of sends) if (queue.isIdle) sends.delete(id);
  const made = new Sends((messages) => {
    // Required, so that a param which chat.send gains does not compile until it is passed on here.
    const params: Required<Input<typeof chat.send.params>> = { chatId, messages: [...messages] };
    return call(broker, chat.send, params, metaOf(socket));
  });
  sends.set(chatId, made);
  return made;
}
