/**
 * Creates the users that calls are made as: one with contacts, invites, chats, messages and files, and a stranger who has no part in them.
 * They are created again whenever a successful call may have removed some of it.
 */
import type { Factory } from "../../support/people/factory.ts";
import type { Person, Received } from "../../support/people/person.ts";
import { file, sendFile, sendForm } from "../../support/files/uploads.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import { pngBomb } from "../../support/files/images.ts";
import { newId } from "../../../core/ids.ts";
import type { RandomSource } from "./invalid-payloads.ts";

/** A PNG of one pixel. */
export const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
/** A small file whose header says that it is an image of 900 million pixels. */
export const bomb = pngBomb(30_000, 30_000);

/** The roles that calls are made in. */
export const callerRoles = ["nobody", "user", "wrong user"] as const;
export type CallerRole = (typeof callerRoles)[number];

export interface Callers {
  /** Owns everything that calls refer to. */
  readonly user: Person;
  /** Owns nothing of it. */
  readonly stranger: Person;
  readonly everyone: readonly Person[];
  /** A valid value for a field of this name. */
  validValue(field: string, schema: JsonSchema, path: string): unknown;
  /** Makes a valid change, which must succeed. */
  changeSomething(random: RandomSource): Promise<void>;
}

export async function makeCallers(world: Factory): Promise<Callers> {
  const [user, friend, other, addable, asker, invited] = (await Promise.all(Array.from({ length: 6 }, () => world.person()))) as [
    Person,
    Person,
    Person,
    Person,
    Person,
    Person,
  ];
  const stranger = await world.person();
  await Promise.all([friend, other, addable].map((one) => world.befriend(user, one)));
  const made = async (promise: Promise<{ status: number; body: Received }>) => {
    const { status, body } = await promise;
    if (status >= 300) throw new Error(`the callers could not be created: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const askedId: string = (await made(asker.post("/request/invite/send", { toEmail: user.emailId }))).data._id;
  const sentId: string = (await made(user.post("/request/invite/send", { toEmail: invited.emailId }))).data._id;
  const chatId: string = (await made(user.post("/chat/create-group", { name: "A group", participants: [friend.id, other.id] })))._id;
  const messageId: string = (await made(user.post("/chat/messages", { chatId, text: "Hello" })))._id;
  const fileId: string = (await made(sendFile(user, chatId, file(png, "p.png", "image/png")))).file._id;
  const picture: string = (await made(sendForm(user, "PUT", "/profile/patchProfile", [file(png, "p.png", "image/png", "profilePic")]))).data
    .profilePic;
  const pictureId = picture.split("/").at(-1)!;

  const byField: Readonly<Record<string, (path: string) => unknown>> = {
    chatId: () => chatId,
    messageId: () => messageId,
    replyTo: () => messageId,
    fileId: (path) => (path.includes("pictures") ? pictureId : fileId),
    requestId: (path) => (path.includes("cancel") ? sentId : askedId),
    userId: () => friend.id,
    receiverId: () => friend.id,
    userIdToAdd: () => addable.id,
    userIdToRemove: () => other.id,
    participants: () => [friend.id, other.id],
    since: () => ({ [chatId]: 1 }),
    emailId: (path) => (path.includes("signup") ? `${newId()}@example.org` : user.emailId),
    toEmail: () => stranger.emailId,
    password: () => user.password,
    oldPassword: () => user.password,
    newPassword: () => "Even-Better-8",
    emoji: () => "👍",
    clientId: () => newId(),
    mutedUntil: () => "2100-01-01T00:00:00Z",
    before: (path) => (path.includes("messages") ? 100 : `1-${newId()}`),
    after: (path) => (path.includes("messages") ? 0 : newId()),
    profilePic: () => `data:image/png;base64,${png.toString("base64")}`,
  };
  return {
    user,
    stranger,
    everyone: [user, friend, other, addable, asker, invited, stranger],
    validValue: (field, schema, path) => byField[field]?.(path) ?? ordinary(schema),
    async changeSomething(random) {
      const acts = [
        () => friend.post("/chat/messages", { chatId, text: "Meanwhile" }),
        () => user.put(`/chat/messages/${messageId}/reactions/${encodeURIComponent("👍")}`),
        () => other.post("/chat/read", { chatId, n: 1 }),
        () => user.patch(`/chat/messages/${messageId}`, { text: `Hello ${random()}` }),
        () => sendFile(friend, chatId, file(png, "again.png", "image/png")),
        () => friend.put("/profile/patchProfile", { about: `Chance ${random()}` }),
        () => other.post("/chat/create-direct", { receiverId: user.id }),
      ];
      await made(acts[Math.floor(random() * acts.length)]!());
    },
  };
}

/** A value that the schema accepts. */
function ordinary(schema: JsonSchema): unknown {
  const types = [schema["type"]].flat();
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  if (types.includes("integer") || types.includes("number")) return Math.max(1, Number(schema["minimum"] ?? 1));
  if (types.includes("boolean")) return true;
  if (types.includes("array")) return [];
  if (types.includes("object")) return {};
  return "Ordinary";
}
