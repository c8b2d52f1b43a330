/**
 * Examples for each documented socket event: a payload that is accepted and one that is refused, and for each event that the server
 * sends, an action that causes it.
 */
import type { TestSocket, Person } from "../people/person.ts";
import type { StoryWorld } from "../systems/story.ts";

/** Two contacts, their chat with one message, and a subscribed socket of each. */
export interface EventExampleContext {
  readonly world: StoryWorld;
  readonly a: Person;
  readonly b: Person;
  readonly chatId: string;
  readonly messageId: string;
  /** Subscribed. */
  readonly socketA: TestSocket;
  readonly socketB: TestSocket;
}

export async function eventExampleContext(world: StoryWorld): Promise<EventExampleContext> {
  const { a, b, chatId } = await world.pair();
  const [socketA, socketB] = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
  const { _id } = await socketA.callOrThrow("sendMessage", { chatId, text: "Hello" });
  return { world, a, b, chatId, messageId: _id as string, socketA, socketB };
}

const nobody = "0123456789abcdef01234567";

/** A payload that is accepted, and one that is refused with this code. */
interface ClientEventExample {
  readonly accepted: (context: EventExampleContext) => object;
  readonly refused: (context: EventExampleContext) => readonly [object, string];
}
const elsewhere: ClientEventExample["refused"] = () => [{ chatId: nobody }, "FORBIDDEN"];
const badSince: ClientEventExample["refused"] = () => [{ since: { nonsense: 1 } }, "VALIDATION"];

export const clientEventExamples: Readonly<Record<string, ClientEventExample>> = {
  joinChat: { accepted: ({ chatId }) => ({ chatId }), refused: elsewhere },
  leaveChat: { accepted: ({ chatId }) => ({ chatId }), refused: elsewhere },
  subscribe: { accepted: ({ chatId }) => ({ since: { [chatId]: 0 } }), refused: badSince },
  sync: { accepted: ({ chatId }) => ({ since: { [chatId]: 0 } }), refused: badSince },
  sendMessage: {
    accepted: ({ chatId, messageId }) => ({ chatId, text: "Hello again", clientId: "example", replyTo: messageId }),
    refused: ({ chatId }) => [{ chatId, text: "To what?", replyTo: nobody }, "NOT_FOUND"],
  },
  editMessage: {
    accepted: ({ messageId }) => ({ messageId, text: "Hello, I mean" }),
    refused: () => [{ messageId: nobody, text: "Hello" }, "NOT_FOUND"],
  },
  deleteMessage: { accepted: ({ messageId }) => ({ messageId }), refused: () => [{ messageId: nobody }, "NOT_FOUND"] },
  react: {
    accepted: ({ messageId }) => ({ messageId, emoji: "👍", on: true }),
    refused: () => [{ messageId: nobody, emoji: "👍", on: true }, "NOT_FOUND"],
  },
  markRead: { accepted: ({ chatId }) => ({ chatId, n: 1 }), refused: () => [{ chatId: nobody, n: 1 }, "FORBIDDEN"] },
  typing: {
    accepted: ({ chatId }) => ({ chatId, isTyping: true }),
    refused: () => [{ chatId: nobody, isTyping: true }, "FORBIDDEN"],
  },
};

/** Causes the event. @returns the socket that receives it */
type EventTrigger = (context: EventExampleContext) => Promise<TestSocket> | TestSocket;

export const eventTriggers: Readonly<Record<string, EventTrigger>> = {
  receiveMessage: ({ socketB }) => socketB,
  async messageChanged({ socketA, socketB, messageId }) {
    await socketA.callOrThrow("editMessage", { messageId, text: "Hello, I mean" });
    return socketB;
  },
  async receipt({ socketA, socketB, chatId }) {
    await socketB.callOrThrow("markRead", { chatId, n: 1 });
    return socketA;
  },
  async typing({ socketA, socketB, chatId }) {
    await socketA.callOrThrow("typing", { chatId, isTyping: true });
    return socketB;
  },
  async chatChanged({ world, a, b, socketB }) {
    const c = await world.person();
    await world.befriend(a, c);
    await a.post("/chat/create-group", { name: "Three", participants: [b.id, c.id] });
    return socketB;
  },
  async chatRemoved({ world }) {
    const { members, chatId } = await world.group(3);
    const line = await members[1]!.connectAndSubscribe();
    await members[0].put("/chat/remove-from-group", { chatId, userIdToRemove: members[1]!.id });
    return line;
  },
  async requestReceived({ world, a, socketA }) {
    const stranger = await world.person();
    await stranger.post("/request/invite/send", { toEmail: a.emailId });
    return socketA;
  },
  async requestAnswered({ world, a, socketA }) {
    await world.befriend(a, await world.person());
    return socketA;
  },
  positions: ({ socketA }) => socketA,
  async sessionEnded({ a, socketA }) {
    await a.post("/auth/logout");
    return socketA;
  },
  error({ socketA }) {
    socketA.socket.emit("joinChat", {});
    return socketA;
  },
};
