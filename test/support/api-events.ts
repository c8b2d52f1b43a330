/**
 * For each documented socket event an example: what is sent and accepted, what is refused for a reason of its own, and how each of
 * the server's events comes to be heard.
 */
import type { Line, Person } from "./person.ts";
import type { World } from "./story.ts";

/** Two contacts, their chat, the connections they hear it on, and a message in it. */
export interface Scene {
  readonly world: World;
  readonly a: Person;
  readonly b: Person;
  readonly chatId: string;
  readonly messageId: string;
  /** Subscribed. */
  readonly lineA: Line;
  readonly lineB: Line;
}

export async function scene(world: World): Promise<Scene> {
  const { a, b, chatId } = await world.pair();
  const [lineA, lineB] = await Promise.all([a.listen(), b.listen()]);
  const { _id } = await lineA.must("sendMessage", { chatId, text: "Hello" });
  return { world, a, b, chatId, messageId: _id as string, lineA, lineB };
}

const nobody = "0123456789abcdef01234567";

/** A payload that is accepted, and one that is refused with this code. */
interface ClientExample {
  readonly accepted: (scene: Scene) => object;
  readonly refused: (scene: Scene) => readonly [object, string];
}
const elsewhere: ClientExample["refused"] = () => [{ chatId: nobody }, "FORBIDDEN"];
const badSince: ClientExample["refused"] = () => [{ since: { nonsense: 1 } }, "VALIDATION"];

export const clientExamples: Readonly<Record<string, ClientExample>> = {
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

/** Does what makes the server send the event. @returns who hears it */
type Cause = (scene: Scene) => Promise<Line> | Line;

export const causes: Readonly<Record<string, Cause>> = {
  receiveMessage: ({ lineB }) => lineB,
  async messageChanged({ lineA, lineB, messageId }) {
    await lineA.must("editMessage", { messageId, text: "Hello, I mean" });
    return lineB;
  },
  async receipt({ lineA, lineB, chatId }) {
    await lineB.must("markRead", { chatId, n: 1 });
    return lineA;
  },
  async typing({ lineA, lineB, chatId }) {
    await lineA.must("typing", { chatId, isTyping: true });
    return lineB;
  },
  async chatChanged({ world, a, b, lineB }) {
    const c = await world.person();
    await world.befriend(a, c);
    await a.post("/chat/create-group", { name: "Three", participants: [b.id, c.id] });
    return lineB;
  },
  async chatRemoved({ world }) {
    const { members, chatId } = await world.group(3);
    const line = await members[1]!.listen();
    await members[0].put("/chat/remove-from-group", { chatId, userIdToRemove: members[1]!.id });
    return line;
  },
  async requestReceived({ world, a, lineA }) {
    const stranger = await world.person();
    await stranger.post("/request/invite/send", { toEmail: a.emailId });
    return lineA;
  },
  async requestAnswered({ world, a, lineA }) {
    await world.befriend(a, await world.person());
    return lineA;
  },
  positions: ({ lineA }) => lineA,
  async sessionEnded({ a, lineA }) {
    await a.post("/auth/logout");
    return lineA;
  },
  error({ lineA }) {
    lineA.socket.emit("joinChat", {});
    return lineA;
  },
};
