/** Uploads and downloads files as clients do. Forms are written byte by byte, so a test can send odd ones too. */
import type { ApiResponse, Person } from "../people/person.ts";

/** A part of a form. It is a file if it has a file name. */
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

/** The body of a form with these parts, in this order. */
export function formBytes(parts: readonly UploadPart[]): Buffer<ArrayBuffer> {
  const pieces = parts.flatMap(({ field, value, fileName, type }) => {
    const fileNameField = fileName === undefined ? "" : `; filename="${fileName}"`;
    const typeHeader = type === undefined ? "" : `Content-Type: ${type}\r\n`;
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${field}"${fileNameField}\r\n${typeHeader}\r\n`, value, "\r\n"];
  });
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece as string)));
}

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
