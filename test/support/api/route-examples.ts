/**
 * Examples for each documented route: its successes and the errors that its action throws. The test itself checks the errors that all
 * routes share, such as a missing session or malformed input.
 */
import { newId } from "../../../core/ids.ts";
import type { DocumentedRequest } from "./documented.ts";
import { freshEmail, type Factory } from "../people/factory.ts";
import type { ApiResponse, Person } from "../people/person.ts";

export interface RouteExampleContext {
  readonly world: Factory;
  /** Sends a request to the route, with or without a session, and expects this status. */
  readonly ask: (who: Person | undefined, status: number, request?: DocumentedRequest) => Promise<ApiResponse>;
}
export type RouteExample = (context: RouteExampleContext) => Promise<unknown>;

const nobody = "0123456789abcdef01234567";

/** A direct chat with one message. */
async function message(world: Factory) {
  const { a, b, chatId } = await world.pair();
  const sent = await a.post("/chat/messages", { chatId, text: "Hello" });
  return { a, b, chatId, messageId: sent.body._id as string };
}
/** A group, and a contact of its founder who is not a member. */
async function group(world: Factory) {
  const { members, chatId } = await world.group(3);
  const [admin, member, other] = members as [Person, Person, Person];
  const outsider = await world.person();
  await world.befriend(admin, outsider);
  return { admin, member, other, outsider, chatId };
}
async function invite(a: Person, b: Person): Promise<string> {
  return (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data._id as string;
}
/** A PNG of one pixel. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const dataUri = `data:image/png;base64,${png}`;
const picture = new Blob([Buffer.from(png, "base64")], { type: "image/png" });

export function formOf(fields: Readonly<Record<string, string | Blob>>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

/** Fetches a file as a whole, in part, with its ETag, and beyond its end. */
async function fetched(ask: RouteExampleContext["ask"], who: Person, fileId: string): Promise<void> {
  const { headers } = await ask(who, 200, { params: { fileId } });
  await ask(who, 200, { params: { fileId }, query: "?thumb=1" });
  await ask(who, 206, { params: { fileId }, headers: { range: "bytes=0-9" } });
  await ask(who, 304, { params: { fileId }, headers: { "if-none-match": headers.get("etag")! } });
  await ask(who, 416, { params: { fileId }, headers: { range: "bytes=99999999-" } });
}

/** Fetches twice, the second time with the ETag of the first answer. */
async function cached({ ask }: RouteExampleContext): Promise<void> {
  const { headers } = await ask(undefined, 200);
  await ask(undefined, 304, { headers: { "if-none-match": headers.get("etag")! } });
}

export const routeExamples: Readonly<Record<string, RouteExample>> = {
  "POST /auth/signup": async ({ world, ask }) => {
    const { firstName, lastName, emailId, password } = world.stranger();
    const body = { firstName, lastName, emailId, password };
    await ask(undefined, 201, { body });
    await ask(undefined, 409, { body });
  },
  "POST /auth/login": async ({ world, ask }) => {
    const { emailId, password } = await world.person();
    await ask(undefined, 200, { body: { emailId, password } });
    await ask(undefined, 401, { body: { emailId, password: "Wrong-Horse-7" } });
    await ask(undefined, 401, { body: { emailId: freshEmail(), password } });
  },
  "POST /auth/logout": async ({ world, ask }) => {
    await ask(await world.person(), 200);
    await ask(undefined, 200);
  },
  "PATCH /auth/changePassword": async ({ world, ask }) => {
    const a = await world.person();
    await ask(a, 401, { body: { oldPassword: "Wrong-Horse-7", newPassword: "Correct-Horse-8" } });
    await ask(a, 200, { body: { oldPassword: a.password, newPassword: "Correct-Horse-8" } });
  },
  "GET /auth/getUserByEmail": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await ask(a, 200, { query: `?emailId=${b.emailId}` });
    await ask(a, 404, { query: `?emailId=${freshEmail()}` });
  },
  "GET /auth/me": async ({ world, ask }) => {
    await ask(await world.person(), 200);
  },

  "GET /profile/getProfile": async ({ world, ask }) => {
    await ask(await world.person(), 200);
  },
  "GET /profile/profile/{userId}": async ({ world, ask }) => {
    const [a, b, stranger] = await world.people(3);
    await world.befriend(a, b);
    await ask(a, 200, { params: { userId: b.id } });
    await ask(a, 200, { params: { userId: stranger.id } });
    await ask(a, 404, { params: { userId: nobody } });
  },
  "PUT /profile/patchProfile": async ({ world, ask }) => {
    const a = await world.person();
    await ask(a, 200, { body: { firstName: "Augusta", about: "Numbers", gender: "female", age: 36 } });
    await ask(a, 200, { body: { about: null, gender: null, age: null, profilePic: null } });
    await ask(a, 200, { body: { profilePic: dataUri } });
    await ask(a, 200, { body: formOf({ profilePic: picture }) });
    await ask(a, 415, { body: formOf({ profilePic: new Blob(["no picture"]) }) });
  },

  "POST /request/invite/send": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await ask(a, 201, { body: { toEmail: b.emailId, message: "It's me" } });
    await ask(a, 409, { body: { toEmail: b.emailId } });
    await ask(b, 201, { body: { toEmail: a.emailId } });
    await ask(a, 404, { body: { toEmail: freshEmail() } });
  },
  "PATCH /request/respond/{requestId}": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    const params = { requestId: await invite(a, b) };
    await ask(a, 404, { params, body: { status: "accepted" } });
    await ask(b, 200, { params, body: { status: "accepted" } });
  },
  "GET /request/invites/sent": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await invite(a, b);
    await ask(a, 200);
    await ask(a, 200, { query: "?status=pending" });
  },
  "GET /request/invites/received": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await invite(a, b);
    await ask(b, 200);
    await ask(b, 200, { query: "?status=accepted" });
  },
  "DELETE /request/cancel/{requestId}": async ({ world, ask }) => {
    const [a, b, c] = await world.people(3);
    const params = { requestId: await invite(a, b) };
    await ask(c, 404, { params });
    await ask(b, 403, { params });
    await ask(a, 200, { params });
    const answered = { requestId: await world.befriend(a, c) };
    await ask(a, 409, { params: answered });
  },
  "GET /request/connections": async ({ world, ask }) => {
    const { a } = await world.pair();
    await ask(a, 200);
  },
  "DELETE /request/connections/{userId}": async ({ world, ask }) => {
    const { a, b } = await world.pair();
    await ask(a, 200, { params: { userId: b.id } });
    await ask(a, 404, { params: { userId: nobody } });
  },
  "GET /request/blocks": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await a.put(`/request/blocks/${b.id}`);
    await ask(a, 200);
  },
  "PUT /request/blocks/{userId}": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await ask(a, 200, { params: { userId: b.id } });
    await ask(a, 404, { params: { userId: nobody } });
  },
  "DELETE /request/blocks/{userId}": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    const params = { userId: b.id };
    await a.put(`/request/blocks/${b.id}`);
    await ask(a, 200, { params });
    await ask(a, 404, { params });
  },

  "POST /chat/create-direct": async ({ world, ask }) => {
    const [a, b, stranger] = await world.people(3);
    await world.befriend(a, b);
    await ask(a, 201, { body: { receiverId: b.id } });
    await ask(b, 200, { body: { receiverId: a.id } });
    await ask(a, 403, { body: { receiverId: stranger.id } });
  },
  "POST /chat/create-group": async ({ world, ask }) => {
    const [a, b, c, stranger] = await world.people(4);
    await Promise.all([world.befriend(a, b), world.befriend(a, c)]);
    await ask(a, 201, { body: { name: "Three", participants: [b.id, c.id] } });
    await ask(a, 403, { body: { name: "Three", participants: [b.id, stranger.id] } });
  },
  "PUT /chat/add-to-group": async ({ world, ask }) => {
    const { admin, member, outsider, chatId } = await group(world);
    const stranger = await world.person();
    await ask(member, 403, { body: { chatId, userIdToAdd: outsider.id } });
    await ask(admin, 403, { body: { chatId, userIdToAdd: stranger.id } });
    await ask(admin, 200, { body: { chatId, userIdToAdd: outsider.id } });
    const direct = await world.pair();
    await ask(direct.a, 404, { body: { chatId: direct.chatId, userIdToAdd: outsider.id } });
  },
  "PUT /chat/remove-from-group": async ({ world, ask }) => {
    const { admin, member, other, chatId } = await group(world);
    const direct = await world.pair();
    await ask(member, 403, { body: { chatId, userIdToRemove: other.id } });
    await ask(admin, 200, { body: { chatId, userIdToRemove: other.id } });
    await ask(direct.a, 404, { body: { chatId: direct.chatId, userIdToRemove: direct.b.id } });
  },
  "PUT /chat/leave-group": async ({ world, ask }) => {
    const { admin, member, other, outsider, chatId } = await group(world);
    const direct = await world.pair();
    await ask(outsider, 403, { body: { chatId } });
    await ask(direct.a, 404, { body: { chatId: direct.chatId } });
    for (const leaving of [admin, member, other]) await ask(leaving, 200, { body: { chatId } });
  },
  "PATCH /chat/groups/{chatId}": async ({ world, ask }) => {
    const { admin, member, chatId } = await group(world);
    const direct = await world.pair();
    await ask(admin, 200, { params: { chatId }, body: { name: "Renamed", picture: dataUri } });
    await ask(admin, 200, { params: { chatId }, body: formOf({ picture }) });
    await ask(admin, 200, { params: { chatId }, body: { picture: null } });
    await ask(member, 403, { params: { chatId }, body: { name: "Mine" } });
    await ask(direct.a, 404, { params: { chatId: direct.chatId }, body: { name: "Ours" } });
  },
  "PUT /chat/groups/{chatId}/admins/{userId}": async ({ world, ask }) => {
    const { admin, member, other, outsider, chatId } = await group(world);
    await ask(member, 403, { params: { chatId, userId: other.id } });
    await ask(admin, 404, { params: { chatId, userId: outsider.id } });
    await ask(admin, 200, { params: { chatId, userId: member.id } });
  },
  "DELETE /chat/groups/{chatId}/admins/{userId}": async ({ world, ask }) => {
    const { admin, member, outsider, chatId } = await group(world);
    await admin.put(`/chat/groups/${chatId}/admins/${member.id}`);
    await ask(admin, 200, { params: { chatId, userId: member.id } });
    await ask(member, 403, { params: { chatId, userId: admin.id } });
    await ask(admin, 404, { params: { chatId, userId: outsider.id } });
    await ask(admin, 409, { params: { chatId, userId: admin.id } });
  },
  "GET /chat/members/{chatId}": async ({ world, ask }) => {
    const { admin, outsider, chatId } = await group(world);
    const { headers } = await ask(admin, 200, { params: { chatId }, query: "?limit=2" });
    const next = /\?.*(?=>)/.exec(headers.get("link") ?? "")![0];
    await ask(admin, 200, { params: { chatId }, query: next });
    await ask(outsider, 403, { params: { chatId } });
  },
  "GET /chat/my-chats": async ({ world, ask }) => {
    const { a, b } = await message(world);
    await ask(a, 200);
    await ask(b, 200, { query: "?limit=1" });
  },
  "PATCH /chat/settings/{chatId}": async ({ world, ask }) => {
    const { a, chatId } = await world.pair();
    await ask(a, 200, { params: { chatId }, body: { mutedUntil: "2100-01-01T00:00:00Z", archived: true, pinned: true } });
    await ask(a, 200, { params: { chatId }, body: { mutedUntil: null, archived: false, pinned: false } });
    await ask(await world.person(), 403, { params: { chatId }, body: { pinned: true } });
  },
  "GET /chat/messages/{chatId}": async ({ world, ask }) => {
    const { a, b, chatId, messageId } = await message(world);
    await b.put(`/chat/messages/${messageId}/reactions/${encodeURIComponent("👍")}`);
    await b.post("/chat/messages", { chatId, text: "Hello yourself", replyTo: messageId });
    await a.delete(`/chat/messages/${messageId}`);
    await ask(a, 200, { params: { chatId } });
    await ask(a, 200, { params: { chatId }, query: "?after=1&limit=1" });
    await ask(await world.person(), 403, { params: { chatId } });
  },
  "POST /chat/messages": async ({ world, ask }) => {
    const { a, b, chatId } = await world.pair();
    const body = { chatId, text: "Hello", clientId: newId() };
    const { body: first } = await ask(a, 201, { body });
    await ask(a, 200, { body });
    await ask(a, 409, { body: { ...body, text: "Something else" } });
    await ask(b, 201, { body: { chatId, text: "Hello yourself", replyTo: first._id } });
    await ask(b, 404, { body: { chatId, text: "To what?", replyTo: nobody } });
    await ask(a, 403, { body: { chatId: nobody, text: "Hello" } });
  },
  "PATCH /chat/messages/{messageId}": async ({ world, ask }) => {
    const { a, b, messageId } = await message(world);
    const params = { messageId };
    await ask(a, 200, { params, body: { text: "Hello, I mean" } });
    await ask(b, 403, { params, body: { text: "Mine now" } });
    await ask(a, 404, { params: { messageId: nobody }, body: { text: "Hello" } });
    await a.delete(`/chat/messages/${messageId}`);
    await ask(a, 409, { params, body: { text: "Hello again" } });
  },
  "DELETE /chat/messages/{messageId}": async ({ world, ask }) => {
    const { a, b, messageId } = await message(world);
    await ask(b, 403, { params: { messageId } });
    await ask(a, 200, { params: { messageId } });
    await ask(a, 404, { params: { messageId: nobody } });
  },
  "PUT /chat/messages/{messageId}/reactions/{emoji}": async ({ world, ask }) => {
    const { a, b, messageId } = await message(world);
    const group = await world.group(3);
    const [created] = (await group.members[0].get(`/chat/messages/${group.chatId}`)).body as [{ _id: string }];
    await ask(b, 200, { params: { messageId, emoji: "👍" } });
    await ask(a, 404, { params: { messageId: nobody, emoji: "👍" } });
    await ask(group.members[0], 403, { params: { messageId: created._id, emoji: "👍" } });
    await a.delete(`/chat/messages/${messageId}`);
    await ask(b, 409, { params: { messageId, emoji: "👍" } });
  },
  "DELETE /chat/messages/{messageId}/reactions/{emoji}": async ({ world, ask }) => {
    const { a, b, messageId } = await message(world);
    const group = await world.group(3);
    const [created] = (await group.members[0].get(`/chat/messages/${group.chatId}`)).body as [{ _id: string }];
    await b.put(`/chat/messages/${messageId}/reactions/${encodeURIComponent("👍")}`);
    await ask(b, 200, { params: { messageId, emoji: "👍" } });
    await ask(a, 404, { params: { messageId: nobody, emoji: "👍" } });
    await ask(group.members[0], 403, { params: { messageId: created._id, emoji: "👍" } });
    await a.delete(`/chat/messages/${messageId}`);
    await ask(b, 409, { params: { messageId, emoji: "👍" } });
  },
  "POST /chat/read": async ({ world, ask }) => {
    const { b, chatId } = await message(world);
    await ask(b, 200, { body: { chatId, n: 1 } });
    await ask(b, 403, { body: { chatId: nobody, n: 1 } });
  },
  "POST /chat/sync": async ({ world, ask }) => {
    const { a, b, chatId, messageId } = await message(world);
    await ask(b, 200, { body: { since: {} } });
    await a.patch(`/chat/messages/${messageId}`, { text: "Hello, I mean" });
    await ask(b, 200, { body: { since: { [chatId]: 1 } } });
    await ask(b, 200, { body: { since: { [nobody]: 1 } } });
  },

  "POST /chat/send-file": async ({ world, ask }) => {
    const { a, b, chatId, messageId } = await message(world);
    const body = formOf({ chatId, text: "Look", clientId: newId(), replyTo: messageId, file: picture });
    await ask(a, 201, { body });
    await ask(a, 200, { body });
    await ask(a, 409, { body: formOf({ chatId, clientId: body.get("clientId") as string, file: new Blob(["else"]) }) });
    await ask(b, 404, { body: formOf({ chatId, replyTo: nobody, file: picture }) });
    await ask(await world.person(), 403, { body: formOf({ chatId, file: picture }) });
  },
  "GET /chat/files/{fileId}": async ({ world, ask }) => {
    const { a, chatId } = await world.pair();
    const { body } = await a.request("POST", "/chat/send-file", { body: formOf({ chatId, file: picture }) });
    await fetched(ask, a, body.file._id as string);
    await ask(await world.person(), 404, { params: { fileId: body.file._id as string } });
  },
  "GET /profile/pictures/{fileId}": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    const { body } = await a.request("PUT", "/profile/patchProfile", { body: formOf({ profilePic: picture }) });
    await fetched(ask, b, (body.data.profilePic as string).split("/").at(-1)!);
    await ask(b, 404, { params: { fileId: nobody } });
  },

  "GET /health": async ({ ask }) => ask(undefined, 200),
  "GET /ready": async ({ ask }) => ask(undefined, 200),
  "GET /metrics": async ({ ask }) => ask(undefined, globalThis.parleyWorld === "mesh" ? 404 : 200),
  "GET /openapi.json": cached,
  "GET /asyncapi.json": cached,
  "GET /docs": cached,
};

/** Answers that need other settings: `CONTACTS=open`, and groups of at most three members. */
export const otherSettings = { CONTACTS: "open", GROUP_LIMIT: "3" } as const;
export const routeExamplesWithOtherSettings: Readonly<Record<string, RouteExample>> = {
  "POST /chat/create-direct": async ({ world, ask }) => ask(await world.person(), 404, { body: { receiverId: nobody } }),
  "POST /chat/create-group": async ({ world, ask }) => {
    const [a, b] = await world.people(2);
    await ask(a, 404, { body: { name: "Two and nobody", participants: [b.id, nobody] } });
  },
  "PUT /chat/add-to-group": async ({ world, ask }) => {
    const { admin, outsider, chatId } = await group(world);
    await ask(admin, 409, { body: { chatId, userIdToAdd: outsider.id } });
  },
};

/** The reason why no example can cause a documented answer, if there is one. */
export function unproducible(operation: string, status: string): string | undefined {
  if (status === "500") return "no known request causes it";
  if (status === "503") return "all parts are ready";
  if (status === "429") return "limits are off; another test causes it";
  return exceptions[`${operation} ${status}`];
}
const exceptions: Readonly<Record<string, string>> = {
  "POST /chat/create-direct 404": "it needs other settings",
  "POST /chat/create-group 404": "it needs other settings",
  "PUT /chat/add-to-group 409": "it needs other settings",
  [globalThis.parleyWorld === "mesh" ? "GET /metrics 200" : "GET /metrics 404"]: "it belongs to the other mode",
};
