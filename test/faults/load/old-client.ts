/**
 * A client as PingTalk's: a plain Socket.IO connection that joins its chats one by one and knows no `seq`. It can't ask for what it
 * missed while it was away; but as long as its connection lives it is told every message once and in order.
 */
import { setTimeout as pause } from "node:timers/promises";
import { io } from "socket.io-client";
import type { Message } from "../../../client/index.ts";
import type { Ack, Person } from "../../support/people/person.ts";

/** What one connection was told of one chat. */
export interface JoinedSpan {
  readonly chatId: string;
  /** The chat's newest message when it was joined: the next one is the first to come. */
  after: number | undefined;
  readonly heard: { readonly n: number; readonly seq: number }[];
  /** The connection it came over lives. */
  isOpen: boolean;
}

export interface OldClient {
  /** It is connected, and every chat was joined again. */
  isBack(): boolean;
  readonly stretches: readonly JoinedSpan[];
  close(): void;
}

const againMs = 1000;
const answerWithinMs = 10_000;

/** Resolves when it has joined its chats for the first time. */
export async function oldClient({ url, token }: Person, chatIds: readonly string[]): Promise<OldClient> {
  const stretches: JoinedSpan[] = [];
  let again: NodeJS.Timeout | undefined;
  let open = new Map<string, JoinedSpan>();
  const socket = io(url, { path: "/chat/socket.io/", auth: { token }, transports: ["websocket"], forceNew: true });

  /** Again and again: what is away comes back, and its user tries again. */
  async function join(stretch: JoinedSpan): Promise<void> {
    while (stretch.isOpen && !(await asked(stretch))) await pause(againMs);
  }
  // By callback: what comes in one piece behind the answer must be heard after it.
  const asked = (stretch: JoinedSpan): Promise<boolean> =>
    new Promise((resolve) => {
      const answered = (error: Error | null, answer: Ack) => {
        if (error === null && answer.ok && stretch.heard.length === 0) stretch.after = answer.data.lastN;
        resolve(error === null && answer.ok);
      };
      socket.timeout(answerWithinMs).emit("joinChat", { chatId: stretch.chatId }, answered);
    });
  socket.on("disconnect", () => {
    for (const stretch of open.values()) stretch.isOpen = false;
    open.clear();
  });
  socket.on("receiveMessage", ({ chatId, n, seq }: Pick<Message, "chatId" | "n" | "seq">) => open.get(chatId)?.heard.push({ n, seq }));
  // Socket.IO does not come back by itself after a refusal.
  socket.on("connect_error", () => {
    if (!socket.active) again = setTimeout(() => socket.connect(), againMs);
  });
  const joined = Promise.withResolvers<undefined>();
  socket.on("connect", () => {
    const begun = chatIds.map((chatId): JoinedSpan => ({ chatId, after: undefined, heard: [], isOpen: true }));
    open = new Map(begun.map((stretch) => [stretch.chatId, stretch]));
    stretches.push(...begun);
    void Promise.all(begun.map(join)).then(() => joined.resolve(undefined));
  });
  await joined.promise;
  return {
    isBack: () => socket.connected && [...open.values()].every(({ after, heard }) => after !== undefined || heard.length > 0),
    stretches,
    close() {
      clearTimeout(again);
      socket.disconnect();
    },
  };
}
