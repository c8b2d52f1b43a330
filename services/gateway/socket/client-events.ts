/** Lists the events that clients may send over a socket, one table row per event. */
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import type { ActionRef } from "../../../core/contract/contract.ts";
import { TooMany, Unavailable } from "../../../core/errors.ts";
import { histogram } from "../../../core/metrics/declare.ts";
import type { Infer, Input, Rules } from "../../../core/contract/schema.ts";
import { chat } from "../../chat/contract.ts";
import type { GatewayContext } from "../shared/context.ts";
import { messageInputRules, requireStored, messageToSend } from "../shared/message-input.ts";
import { rateLimited, socketLimitName, type socketLimits } from "../shared/limits.ts";
import { inputCheck, type InputCheck } from "../shared/input-rules.ts";
import type { LocalRateLimiter } from "./inbound/rate-limit.ts";
import type { EventAnswer } from "./event-answer.ts";
import type { LiveDelivery } from "./delivery/delivery.ts";
import { callOptionsOf, type UserSocket } from "./socket-state.ts";
import { SendQueue } from "./inbound/send-queue.ts";

export interface SocketEventContext extends Pick<GatewayContext, "broker" | "log" | "security" | "sessions"> {
  readonly delivery: LiveDelivery;
  readonly limiters: Readonly<Record<EventLimit, LocalRateLimiter>>;
}
/** The limits on what a user sends: messages count apart from other events. */
type EventLimit = Exclude<keyof typeof socketLimits, "connections">;

export type EventRefusal = TooMany | Unavailable;

/**
 * @typeParam A  rules of the action
 * @typeParam P  rules of the payload: the action's, unless the row has its own
 */
interface ClientEventSpec<A extends Rules, P extends Rules> {
  readonly event: string;
  readonly action: ActionRef<A>;
  /** The action's summary by default. */
  readonly summary?: string;
  readonly rules?: P;
  /** The rate limit that it counts against. */
  readonly limit: EventLimit;
  /**
   * @param refusal  set when the user is over the limit, or the session may have ended. A message takes it to its send queue, so that
   * no later message overtakes it
   */
  readonly answer: (
    context: SocketEventContext,
    socket: UserSocket,
    params: Infer<P>,
    refusal?: EventRefusal,
  ) => Promise<EventAnswer<unknown>>;
}
export interface ClientEventRow extends Required<ClientEventSpec<Rules, Rules>> {
  readonly check: InputCheck;
}

const sendSeconds = histogram(
  "parley_send_seconds",
  "Time from the arrival of a message on a socket to its acknowledgement, for stored messages",
  {
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
);

function row<A extends Rules, const P extends Rules = A>(spec: ClientEventSpec<A, P>): ClientEventRow {
  const { summary, params } = spec.action;
  const rules: Rules = spec.rules ?? params;
  return { summary, ...spec, rules, check: inputCheck(rules) } as ClientEventRow;
}

export const clientEvents: readonly ClientEventRow[] = [
  row({
    event: "joinChat",
    summary: "Receive one chat's events",
    action: chat.view,
    limit: "others",
    answer: ({ delivery }, socket, params) => delivery.joinChat(socket, params),
  }),
  row({
    event: "leaveChat",
    summary: "Stop receiving one chat's events",
    action: chat.view,
    limit: "others",
    answer: ({ delivery }, socket, params) => delivery.leaveChat(socket, params),
  }),
  row({
    event: "subscribe",
    summary: "Get the changes after `since`, then receive the events of all your chats, present and future",
    action: chat.sync,
    limit: "others",
    answer: ({ delivery }, socket, params) => delivery.subscribe(socket, params),
  }),
  row({
    event: "sync",
    summary: "Get the changes after `since` in all your chats",
    action: chat.sync,
    limit: "others",
    answer: ({ delivery }, socket, params) => delivery.sync(socket, params),
  }),
  row({
    event: "sendMessage",
    summary: "Store a message and deliver it; acknowledged once it is stored",
    action: chat.send,
    rules: { chatId: chat.send.params.chatId, ...messageInputRules },
    limit: "messages",
    async answer({ broker }, socket, { chatId, ...message }, refusal) {
      const attempt = { message: messageToSend(message), isRepeatable: message.clientId !== undefined, refusal };
      const began = performance.now();
      const sent = await sendQueueOf(broker, socket, chatId).send(attempt);
      sendSeconds.of(broker).observe((performance.now() - began) / 1000);
      socket.data.typingThrottle.forget(chatId); // a message ends the typing, so the next report is news
      return { data: requireStored(sent).message };
    },
  }),
  row({
    event: "editMessage",
    action: chat.edit,
    limit: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.edit, params, callOptionsOf(socket)) }),
  }),
  row({
    event: "deleteMessage",
    action: chat.remove,
    limit: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.remove, params, callOptionsOf(socket)) }),
  }),
  row({
    event: "react",
    action: chat.react,
    limit: "others",
    answer: async ({ broker }, socket, params) => ({ data: await call(broker, chat.react, params, callOptionsOf(socket)) }),
  }),
  row({
    event: "markRead",
    action: chat.markRead,
    limit: "others",
    async answer({ broker }, socket, params) {
      const { readN, unread } = await call(broker, chat.markRead, params, callOptionsOf(socket));
      return { data: { readN, unread } };
    },
  }),
  row({
    event: "typing",
    action: chat.typing,
    limit: "others",
    async answer({ broker }, socket, params) {
      await socket.data.typingThrottle.report(params, () => call(broker, chat.typing, params, callOptionsOf(socket)));
      return { data: null };
    },
  }),
];

/** Counts an event against its limit. @returns why it is refused */
export function rateLimitRefusal(
  { limiters, sessions }: SocketEventContext,
  eventLimit: EventLimit,
  userId: string,
): EventRefusal | undefined {
  // This process was paused: a restore may have ended the session meanwhile, and the message may be older than the restore.
  if (!sessions.isReady()) return new Unavailable();
  const waitMs = limiters[eventLimit].consume(userId);
  if (waitMs === 0) return undefined;
  const limit = socketLimitName(eventLimit);
  rateLimited.of().inc({ limit });
  return new TooMany(waitMs, undefined, limit);
}

/** Queues kept per socket. Beyond that, idle ones are dropped. */
const maxQueues = 100;

function sendQueueOf(broker: ServiceBroker, socket: UserSocket, chatId: string): SendQueue {
  const { sendQueues } = socket.data;
  const existing = sendQueues.get(chatId);
  if (existing !== undefined) return existing;
  if (sendQueues.size >= maxQueues) for (const [id, other] of sendQueues) if (other.isIdle) sendQueues.delete(id);
  const queue = new SendQueue((messages) => {
    // Required, so that a new param of chat.send does not compile until it is passed on here.
    const params: Required<Input<typeof chat.send.params>> = { chatId, messages: [...messages] };
    return call(broker, chat.send, params, callOptionsOf(socket));
  });
  sendQueues.set(chatId, queue);
  return queue;
}
