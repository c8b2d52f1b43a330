/** Tests which sockets get the positions of changed chats, and when: real sockets and a real chat service, with a short interval. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Logger } from "moleculer";
import { call } from "../../../../core/contract/call.ts";
import { newId } from "../../../../core/ids.ts";
import { portsOf } from "../../../../core/node/ports.ts";
import authService from "../../../../services/auth/auth.service.ts";
import chatService from "../../../../services/chat/chat.service.ts";
import { chat, type Chat, type Message, type SyncAnswer } from "../../../../services/chat/contract.ts";
import { LiveDelivery } from "../../../../services/gateway/socket/delivery/delivery.ts";
import { startEmittingPositions } from "../../../../services/gateway/socket/delivery/positions.ts";
import type { EventAnswer } from "../../../../services/gateway/socket/event-answer.ts";
import { KnownMemberships } from "../../../../services/gateway/socket/known-memberships.ts";
import type { UserSocket } from "../../../../services/gateway/socket/socket-state.ts";
import profileService from "../../../../services/profile/profile.service.ts";
import { request } from "../../../../services/request/contract.ts";
import requestService from "../../../../services/request/request.service.ts";
import { eventually } from "../../../support/eventually.ts";
import { openListeningSockets, type ListeningSocket, type ListeningSockets } from "../../../support/gateway/listening-sockets.ts";
import { asUser, signUpUser, startServices, type InProcessServices, type SignedUpUser } from "../../../support/systems/services.ts";

const intervalMs = 100;
const log = { error: (error: unknown) => process.emitWarning(String(error)), debug: () => undefined } as Logger;

let services: InProcessServices;
let listeners: ListeningSockets;
let delivery: LiveDelivery;
/** How often positions were emitted to the sockets that were due. */
let rounds = 0;
let stop: () => void;

beforeAll(async () => {
  services = await startServices(authService, profileService, requestService, chatService);
  listeners = await openListeningSockets();
  delivery = new LiveDelivery(services.broker, listeners.io, portsOf(services.broker).feed, log);
});
afterAll(async () => {
  await listeners.close();
  await services.stop();
});
beforeEach(() => {
  stop = startEmittingPositions(() => {
    rounds++;
    return delivery.rooms.all();
  }, intervalMs);
});
afterEach(() => stop());

async function directChat(a: SignedUpUser, b: SignedUpUser): Promise<string> {
  const { _id } = await call(services.broker, request.invite, { toEmail: b.emailId }, asUser(a));
  await call(services.broker, request.respond, { requestId: _id, status: "accepted" }, asUser(b));
  const created = await call(services.broker, chat.createDirect, { receiverId: b.userId }, asUser(a));
  return created.chat._id;
}

async function send(who: SignedUpUser, chatId: string): Promise<Message> {
  const messages = [{ text: "It changes", clientId: newId() }];
  const [result] = await call(services.broker, chat.send, { chatId, messages }, asUser(who));
  if (result?.ok !== true) throw new Error(`not sent: ${JSON.stringify(result)}`);
  return result.message;
}

/** Connects a socket that has sent no event yet. */
async function connect({ userId, sessionId }: SignedUpUser): Promise<ListeningSocket & { readonly socket: UserSocket }> {
  const connected = await listeners.connect();
  const socket = connected.server as UserSocket;
  Object.assign(socket.data, {
    session: { user: { id: userId, sessionId }, expiresAt: Infinity },
    client: {},
    isSubscribed: false,
    knownMemberships: new KnownMemberships(),
    leftChats: new Set(),
    pendingNotes: undefined,
  });
  socket.on("disconnecting", () => delivery.removeSocket(socket));
  delivery.addSocket(socket);
  return { ...connected, socket };
}

/** Waits for an event's answer and does what follows it, as the gateway does. */
async function acknowledge(answering: Promise<EventAnswer<SyncAnswer | Chat>>): Promise<void> {
  const { onAcknowledged } = await answering;
  onAcknowledged?.();
}
const positionsOf = ({ received }: ListeningSocket) => received.filter(({ event }) => event === "positions").map(({ data }) => data);

/** Waits until all events emitted so far have arrived. */
async function arrived({ socket, received }: Awaited<ReturnType<typeof connect>>): Promise<void> {
  socket.emit("error", "the last one");
  await eventually("all events have arrived", () => received.at(-1)?.data === "the last one");
}
async function twoRounds(): Promise<void> {
  const before = rounds;
  await eventually("positions are due twice more", () => rounds >= before + 2);
}

test("subscribed sockets get the positions of chats that changed, once for each change, and no other sockets get them", async () => {
  const [a, b, other] = [await signUpUser(services.broker), await signUpUser(services.broker), await signUpUser(services.broker)];
  const [chatId, quiet] = [await directChat(a, b), await directChat(other, b)];
  const [reader, joiner, left] = [await connect(b), await connect(a), await connect(b)];
  for (const { socket } of [reader, left]) await acknowledge(delivery.subscribe(socket, { since: {} }));
  await acknowledge(delivery.joinChat(joiner.socket, { chatId }));
  await acknowledge(delivery.leaveChat(left.socket, { chatId }));
  await twoRounds();
  for (const one of [reader, joiner, left]) {
    await arrived(one);
    expect(positionsOf(one)).toEqual([]);
  }

  const message = await send(a, chatId);
  await eventually("the reader gets positions", () => positionsOf(reader).length > 0);
  expect(positionsOf(reader)).toEqual([{ [chatId]: message.seq }]);
  expect(positionsOf(reader)[0]).not.toHaveProperty(quiet);
  const edited = await call(services.broker, chat.edit, { messageId: message._id, text: "Again" }, asUser(a));
  await eventually("the reader gets the new position", () => positionsOf(reader).some((positions) => positions[chatId] === edited.seq));
  await twoRounds();
  for (const one of [reader, joiner, left]) await arrived(one);
  expect(positionsOf(reader)).toEqual([{ [chatId]: message.seq }, { [chatId]: edited.seq }]);
  // `joinChat` does not subscribe to positions, and `leaveChat` ends them for that chat.
  for (const one of [joiner, left]) expect(positionsOf(one)).toEqual([]);
});
