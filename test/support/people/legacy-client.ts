/**
 * A client of PingTalk, the product whose API Parley keeps: its only credential is the cookie, its bodies are JSON, and it reads
 * the documents below. Tests use it where these clients rely on the exact answer.
 */
import { expect } from "@jest/globals";
import { requestJson, type ApiResponse, type Person } from "./person.ts";

export const nobody = "0123456789abcdef01234567";
export const malformed = "no-id";

/** A matcher in place of a value of an expected document. */
const like = <T>(matcher: object): T => matcher as T;
export const id = like<string>(expect.stringMatching(/^[0-9a-f]{24}$/));
export const text = like<string>(expect.any(String));
const time = like<string>(expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/));
const ids = like<string[]>(expect.arrayContaining([id]));

const documents = {
  request: { _id: id, fromUserId: id, toUserId: id, status: text, message: text, inviteSent: false, emailSent: false },
  profile: { _id: id, userId: id, firstName: text, lastName: text },
  chat: { _id: id, chatType: text, participants: ids, admins: expect.any(Array) },
  message: { _id: id, chatId: id, senderId: id, readBy: ids },
} as const;

/** A picture of one pixel. */
export const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/** A document with the fields that PingTalk's clients read, and these values. */
export const known = (kind: keyof typeof documents, values: object): object => ({
  ...documents[kind],
  createdAt: time,
  updatedAt: time,
  __v: expect.any(Number),
  ...values,
});

/** Sends requests as a browser that has the person's cookie. */
export const by =
  ({ url, token }: Person) =>
  (method: string, path: string, body?: unknown): Promise<ApiResponse> =>
    requestJson(url, method, path, { ...(body === undefined ? {} : { body }), headers: { cookie: `token=${token}` } });

/** Sends a form as the same browser would. */
export async function byForm({ url, token }: Person, path: string, fields: Readonly<Record<string, string | Blob>>): Promise<ApiResponse> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const answer = await fetch(url + path, { method: "POST", body: form, headers: { cookie: `token=${token}` } });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}
