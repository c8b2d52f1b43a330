/** Files as clients send and fetch them: forms, also odd ones written byte by byte, and downloads with their headers. */
import type { ApiResponse, Person } from "../people/person.ts";

/** A form's part; a file when it has a name. */
export interface UploadPart {
  readonly field: string;
  readonly value: string | Uint8Array;
  readonly fileName?: string;
  readonly type?: string;
}
export const text = (field: string, value: string): UploadPart => ({ field, value });
export const file = (
  value: string | Uint8Array,
  fileName = "notes.bin",
  type = "application/octet-stream",
  field = "file",
): UploadPart => ({
  field,
  value,
  fileName,
  type,
});

const boundary = "----parley-test-boundary";
export const formType = `multipart/form-data; boundary=${boundary}`;

/** The parts as they go over the wire, in the order given. */
export function formBytes(parts: readonly UploadPart[]): Buffer<ArrayBuffer> {
  const pieces = parts.flatMap(({ field, value, fileName, type }) => {
    const named = fileName === undefined ? "" : `; filename="${fileName}"`;
    const typed = type === undefined ? "" : `Content-Type: ${type}\r\n`;
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${field}"${named}\r\n${typed}\r\n`, value, "\r\n"];
  });
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece as string)));
}

/** Sends a form. */
export async function sendForm(person: Person, method: string, path: string, parts: readonly UploadPart[]): Promise<ApiResponse> {
  const answer = await fetch(person.url + path, {
    method,
    headers: { authorization: `Bearer ${person.token}`, "content-type": formType },
    body: formBytes(parts),
    signal: AbortSignal.timeout(60_000),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

export const sendFile = (person: Person, chatId: string, what: UploadPart, ...others: readonly UploadPart[]): Promise<ApiResponse> =>
  sendForm(person, "POST", "/chat/send-file", [text("chatId", chatId), ...others, what]);

export interface DownloadedFile {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}
/** Fetches a file. */
export async function download(
  person: Person,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<DownloadedFile> {
  const answer = await fetch(person.url + path, {
    method,
    headers: { authorization: `Bearer ${person.token}`, ...headers },
    signal: AbortSignal.timeout(60_000),
  });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}
