/**
 * Creates the users that calls are made as: one with contacts, invites, chats, messages and files, and a stranger who has no part in them.
 * They are created again whenever a successful call may have removed some of it.
 */
import type { Factory } from "../../support/people/factory.ts";
import type { ApiResponse, Person, Received } from "../../support/people/person.ts";
import { file, sendFile, sendForm } from "../../support/files/uploads.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import { pngBomb } from "../../support/files/images.ts";
import { newId } from "../../../core/ids.ts";
import { pick, type RandomSource } from "./invalid-payloads.ts";

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
  const created = await createData(world);
  const { user, friend, other, addable, asker, invited, stranger } = created;
  const byField = validValues(created);
  const changes = validChanges(created);
  return {
    user,
    stranger,
    everyone: [user, friend, other, addable, asker, invited, stranger],
    validValue: (field, schema, path) => byField[field]?.(path) ?? ordinary(schema),
    async changeSomething(random) {
      await succeeded(pick(random, changes)(random));
    },
  };
}

type CreatedData = Awaited<ReturnType<typeof createData>>;

/** Creates the users, and something of each kind that calls refer to. */
async function createData(world: Factory) {
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
  const askedId: string = (await succeeded(asker.post("/request/invite/send", { toEmail: user.emailId }))).data._id;
  const sentId: string = (await succeeded(user.post("/request/invite/send", { toEmail: invited.emailId }))).data._id;
  const chatId: string = (await succeeded(user.post("/chat/create-group", { name: "A group", participants: [friend.id, other.id] })))._id;
  const messageId: string = (await succeeded(user.post("/chat/messages", { chatId, text: "Hello" })))._id;
  const fileId: string = (await succeeded(sendFile(user, chatId, file(png, "p.png", "image/png")))).file._id;
  const picture: string = (await succeeded(sendForm(user, "PUT", "/profile/patchProfile", [file(png, "p.png", "image/png", "profilePic")])))
    .data.profilePic;
  const pictureId = picture.split("/").at(-1)!;
  return { user, friend, other, addable, asker, invited, stranger, askedId, sentId, chatId, messageId, fileId, pictureId };
}

async function succeeded(call: Promise<ApiResponse>): Promise<Received> {
  const { status, body } = await call;
  if (status >= 300) throw new Error(`a call of the callers failed: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** A valid value of each field, by the path of the route. */
function validValues(created: CreatedData): Readonly<Record<string, (path: string) => unknown>> {
  const { user, friend, other, addable, stranger, askedId, sentId, chatId, messageId, fileId, pictureId } = created;
  return {
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
}

function validChanges({
  user,
  friend,
  other,
  chatId,
  messageId,
}: CreatedData): readonly ((random: RandomSource) => Promise<ApiResponse>)[] {
  return [
    () => friend.post("/chat/messages", { chatId, text: "Meanwhile" }),
    () => user.put(`/chat/messages/${messageId}/reactions/${encodeURIComponent("👍")}`),
    () => other.post("/chat/read", { chatId, n: 1 }),
    (random) => user.patch(`/chat/messages/${messageId}`, { text: `Hello ${random()}` }),
    () => sendFile(friend, chatId, file(png, "again.png", "image/png")),
    (random) => friend.put("/profile/patchProfile", { about: `About ${random()}` }),
    () => other.post("/chat/create-direct", { receiverId: user.id }),
  ];
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
