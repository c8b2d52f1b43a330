/**
 * Runs many chat clients in one process: plain socket.io-client with long-lived connections, whose users send in rotation. A message is
 * done when it is acknowledged and every socket of its chat has received it.
 */
import { io, type Socket } from "socket.io-client";
import { within } from "../../test/support/eventually.ts";
import { paced, type Pace } from "./pacing.ts";
import { serveCommands } from "./remote.ts";

/** A user's token and the chats they are in. */
export interface LoadClient {
  readonly token: string;
  readonly chatIds: readonly string[];
}
export interface ChatConnectParams {
  readonly url: string;
  readonly loadClients: readonly LoadClient[];
  /** `subscribe`: to all of the user's chats at once. `join`: each chat by name with `joinChat`. */
  readonly enter: "subscribe" | "join";
}
export interface ChatDriveParams {
  readonly chatIds: readonly string[];
  readonly forMs: number;
  readonly pace: Pace;
}
export interface ChatDriveResult {
  /** Number of messages that are done. */
  readonly messages: number;
  readonly deliveries: number;
  readonly tookMs: number;
  /** Time from when a message was due until its acknowledgement, and until its last receiver. */
  readonly ackMs: Float64Array;
  readonly lastMs: Float64Array;
}

interface InFlightMessage {
  readonly dueAt: number;
  /** Outstanding acknowledgement and deliveries. */
  missing: number;
  readonly done: () => void;
}

const atOnce = 50;
const text = "A sentence of the length that people write to each other when they have something to say.";
/** The sockets of each chat, which send in rotation. */
const chats = new Map<string, Socket[]>();
const inFlight = new Map<string, InFlightMessage>();
let ackMs: number[] = [];
let lastMs: number[] = [];
let deliveries = 0;
let made = 0;

async function connect({ url, loadClients, enter }: ChatConnectParams): Promise<void> {
  for (let i = 0; i < loadClients.length; i += atOnce) {
    await Promise.all(
      loadClients
        .slice(i, i + atOnce)
        .map((loadClient) => within(20_000, "a client is in its chats", connectClient(url, loadClient, enter))),
    );
  }
}

async function connectClient(url: string, { token, chatIds }: LoadClient, enter: ChatConnectParams["enter"]): Promise<void> {
  const socket = io(url, { path: "/chat/socket.io/", auth: { token }, transports: ["websocket"], forceNew: true, reconnection: false });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  socket.on("receiveMessage", receive);
  if (enter === "subscribe") expectOk(await socket.emitWithAck("subscribe", {}));
  else for (const chatId of chatIds) expectOk(await socket.emitWithAck("joinChat", { chatId }));
  for (const chatId of chatIds) {
    const here = chats.get(chatId) ?? [];
    chats.set(chatId, here);
    here.push(socket);
  }
}

function expectOk(answer: unknown): void {
  if (!(answer as { readonly ok: boolean }).ok) throw new Error(`refused: ${JSON.stringify(answer)}`);
}

function receive({ clientId }: { clientId: string }): void {
  const sent = inFlight.get(clientId);
  if (sent === undefined) return;
  deliveries++;
  if (arrive(clientId, sent)) lastMs.push(performance.now() - sent.dueAt);
}

function arrive(clientId: string, sent: InFlightMessage): boolean {
  if (--sent.missing > 0) return false;
  inFlight.delete(clientId);
  sent.done();
  return true;
}

/** Resolves when the message is done. */
function send(chatId: string, dueAt: number): Promise<void> {
  const here = chats.get(chatId)!;
  const clientId = `${process.pid}-${++made}`;
  return new Promise((done, reject) => {
    const sent = { dueAt, missing: here.length + 1, done };
    inFlight.set(clientId, sent);
    here[made % here.length]!.emit("sendMessage", { chatId, text, clientId }, (answer: { ok: boolean }) => {
      if (!answer.ok) reject(new Error(`refused: ${JSON.stringify(answer)}`));
      const took = performance.now() - dueAt;
      ackMs.push(took);
      if (arrive(clientId, sent)) lastMs.push(took);
    });
  });
}

async function drive({ chatIds, forMs, pace }: ChatDriveParams): Promise<ChatDriveResult> {
  [ackMs, lastMs, deliveries] = [[], [], 0];
  const all = paced(pace, forMs, (turn, dueAt) => send(chatIds[turn % chatIds.length]!, dueAt));
  const tookMs = await within(forMs + 20_000, "every message is acknowledged and delivered", all);
  return { messages: lastMs.length, deliveries, tookMs, ackMs: Float64Array.from(ackMs), lastMs: Float64Array.from(lastMs) };
}

const commands = { connect, drive };
export type ChatLoad = typeof commands;
serveCommands(commands);
