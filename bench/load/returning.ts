/**
 * Runs clients that disconnect and come back all at once: plain socket.io-client, each with the last `n` and `seq` of its chats. On return
 * a client subscribes with these, and has caught up when the server has nothing more for it.
 */
import { setTimeout as pause } from "node:timers/promises";
import { io, type Socket } from "socket.io-client";
import { eventually } from "../../test/support/eventually.ts";
import type { LoadClient } from "./chat.ts";
import { serveCommands } from "./remote.ts";

export interface Arriving {
  readonly url: string;
  readonly loadClients: readonly LoadClient[];
}
export interface Returned {
  /** Time from the common start until each client had caught up, ascending. */
  readonly caughtUpMs: Float64Array;
  /** Over all messages received: gaps in `n`, and messages received as new twice. */
  readonly missing: number;
  readonly doubled: number;
  /** Number of chats, over all clients, that end below their expected `n`. */
  readonly behind: number;
}

interface ChatPosition {
  n: number;
  seq: number;
}
interface ReturningClient {
  readonly socket: Socket;
  readonly positions: Map<string, ChatPosition>;
  isCaughtUp: boolean;
}
interface Incoming {
  readonly chatId: string;
  readonly n: number;
  readonly seq: number;
}
type SocketReply =
  | { readonly ok: true; readonly data: SyncReply }
  | { readonly ok: false; readonly error: { readonly code: string; readonly retryAfterMs?: number } };
interface SyncReply {
  readonly messages: Readonly<Record<string, readonly Incoming[]>>;
  readonly seq: Readonly<Record<string, number>>;
  readonly more: readonly string[];
}

const atOnce = 50;
const giveUpMs = 120_000;
const clients: ReturningClient[] = [];
let missing = 0;
let doubled = 0;
let caughtUpMs: number[] = [];
let from = 0;

/** Connects all clients, a few at a time. */
async function arrive({ url, loadClients }: Arriving): Promise<void> {
  for (let i = 0; i < loadClients.length; i += atOnce)
    await Promise.all(loadClients.slice(i, i + atOnce).map(({ token }) => open(url, token)));
}

async function open(url: string, token: string): Promise<void> {
  const socket = io(url, { path: "/chat/socket.io/", auth: { token }, transports: ["websocket"], forceNew: true });
  const client: ReturningClient = { socket, positions: new Map(), isCaughtUp: false };
  clients.push(client);
  socket.on("receiveMessage", (message: Incoming) => receive(client, message));
  socket.on("connect", () => void catchUp(client));
  await eventually("a client has caught up", () => client.isCaughtUp, giveUpMs);
}

/** A chat that is new to a client starts at the first message received. */
function receive({ positions }: ReturningClient, { chatId, n, seq }: Incoming): void {
  const position = positions.get(chatId);
  if (position === undefined) {
    positions.set(chatId, { n, seq });
    return;
  }
  if (n <= position.n) doubled++;
  else missing += n - position.n - 1;
  position.n = Math.max(position.n, n);
  position.seq = Math.max(position.seq, seq);
}

function applySync(client: ReturningClient, { messages, seq: upTo }: SyncReply): void {
  const { positions } = client;
  for (const message of Object.values(messages).flat()) if (message.n > (positions.get(message.chatId)?.n ?? 0)) receive(client, message);
  for (const [chatId, seq] of Object.entries(upTo)) {
    const position = positions.get(chatId);
    if (position !== undefined) position.seq = Math.max(position.seq, seq);
  }
}

async function catchUp(client: ReturningClient): Promise<void> {
  const { socket, positions } = client;
  let event = "subscribe";
  for (let more = true; more;) {
    const since = Object.fromEntries([...positions].map(([chatId, { seq }]) => [chatId, seq]));
    const answer = await new Promise<SocketReply>((resolve, reject) => {
      // Apply the reply in the callback rather than after the promise: events of the same packet would otherwise be handled before it.
      socket.timeout(giveUpMs).emit(event, { since }, (error: Error | null, reply: SocketReply) => {
        if (error === null && reply.ok) applySync(client, reply.data);
        if (error === null) resolve(reply);
        else reject(error);
      });
    });
    if (!answer.ok) {
      // Refused because of too many clients at once: retry, as the protocol requires.
      if (answer.error.code !== "UNAVAILABLE") throw new Error(`${event} was refused: ${answer.error.code}`);
      await pause(answer.error.retryAfterMs ?? 1000);
      continue;
    }
    more = answer.data.more.length > 0;
    event = "sync";
  }
  client.isCaughtUp = true;
  caughtUpMs.push(performance.now() - from);
}

/** Closes every connection without reconnecting. */
async function leave(): Promise<void> {
  for (const { socket } of clients) {
    socket.io.reconnection(false);
    socket.io.engine.close();
  }
  await eventually("every client is disconnected", () => clients.every(({ socket }) => !socket.connected));
}

/** Reconnects all clients at once. @param lastN  the last `n` of each chat */
async function comeBack({ lastN }: { lastN: Readonly<Record<string, number>> }): Promise<Returned> {
  [caughtUpMs, from] = [[], performance.now()];
  for (const client of clients) {
    client.isCaughtUp = false;
    client.socket.io.reconnection(true);
    client.socket.connect();
  }
  await eventually("every client has caught up", () => clients.every(({ isCaughtUp }) => isCaughtUp), giveUpMs);
  const behind = clients.flatMap(({ positions }) => [...positions]).filter(([chatId, { n }]) => n < lastN[chatId]!).length;
  return { caughtUpMs: Float64Array.from(caughtUpMs).sort(), missing, doubled, behind };
}

const commands = { arrive, leave, comeBack };
export type Returning = typeof commands;
serveCommands(commands);
