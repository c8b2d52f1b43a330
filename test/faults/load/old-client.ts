/**
 * A client like PingTalk's: a plain Socket.IO connection that joins its chats one by one and does not know `seq`. It cannot ask for what
 * it missed while it was disconnected, but as long as it is connected it receives every message once and in order.
 */
import { setTimeout as pause } from "node:timers/promises";
import { io } from "socket.io-client";
import type { Message } from "../../../client/index.ts";
import type { Ack, Person } from "../../support/people/person.ts";

/** The messages of one chat that one connection received. */
export interface JoinedSpan {
  readonly chatId: string;
  /** The `n` of the chat's newest message when the chat was joined; the connection receives those after it. */
  after: number | undefined;
  readonly received: { readonly n: number; readonly seq: number }[];
  /** Whether the connection is still open. */
  isOpen: boolean;
}

export interface OldClient {
  /** Whether it is connected and has joined every chat again. */
  isBack(): boolean;
  readonly spans: readonly JoinedSpan[];
  close(): void;
}

const retryMs = 1000;
const answerTimeoutMs = 10_000;

/** Resolves when the client has joined its chats for the first time. */
export async function oldClient({ url, token }: Person, chatIds: readonly string[]): Promise<OldClient> {
  const spans: JoinedSpan[] = [];
  let reconnecting: NodeJS.Timeout | undefined;
  let open = new Map<string, JoinedSpan>();
  const socket = io(url, { path: "/chat/socket.io/", auth: { token }, transports: ["websocket"], forceNew: true });

  /** Retries until the chat is joined or the connection is closed. */
  async function join(span: JoinedSpan): Promise<void> {
    while (span.isOpen && !(await tryJoin(span))) await pause(retryMs);
  }
  // A callback, not a promise: events in the same packet as the answer must be handled after it.
  const tryJoin = (span: JoinedSpan): Promise<boolean> =>
    new Promise((resolve) => {
      const answered = (error: Error | null, answer: Ack) => {
        if (error === null && answer.ok && span.received.length === 0) span.after = answer.data.lastN;
        resolve(error === null && answer.ok);
      };
      socket.timeout(answerTimeoutMs).emit("joinChat", { chatId: span.chatId }, answered);
    });
  socket.on("disconnect", () => {
    for (const span of open.values()) span.isOpen = false;
    open.clear();
  });
  socket.on("receiveMessage", ({ chatId, n, seq }: Pick<Message, "chatId" | "n" | "seq">) => open.get(chatId)?.received.push({ n, seq }));
  // Socket.IO does not reconnect by itself after the server refused the connection.
  socket.on("connect_error", () => {
    if (!socket.active) reconnecting = setTimeout(() => socket.connect(), retryMs);
  });
  const joined = Promise.withResolvers<undefined>();
  socket.on("connect", () => {
    const begun = chatIds.map((chatId): JoinedSpan => ({ chatId, after: undefined, received: [], isOpen: true }));
    open = new Map(begun.map((span) => [span.chatId, span]));
    spans.push(...begun);
    void Promise.all(begun.map(join)).then(() => joined.resolve(undefined));
  });
  await joined.promise;
  return {
    isBack: () => socket.connected && [...open.values()].every(({ after, received }) => after !== undefined || received.length > 0),
    spans,
    close() {
      clearTimeout(reconnecting);
      socket.disconnect();
    },
  };
}
