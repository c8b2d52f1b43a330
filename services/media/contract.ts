/** Declares the actions of media, which accepts uploads, checks their bytes and serves them. Bytes go straight between gateway and blob store. */
import { contract, returns, type ActionRef, type EventRef } from "../../core/contract/contract.ts";
import type { Infer } from "../../core/contract/schema.ts";
import { id } from "../../core/contract/rules.ts";

/** What a file is for. The purpose decides how images are cut and which service uses the file (`services/file-users.ts`). */
export const purposes = ["message", "profile", "group"] as const;
export type Purpose = (typeof purposes)[number];

export const fileIdsParams = { fileIds: { type: "array", items: id, max: 1000 } } as const;
/** Declares how a service uses files: in its contract, next to its action and its event. */
export interface FileUser {
  /** Returns those of the files that the service refers to now. */
  readonly inUse: ActionRef<typeof fileIdsParams, string[]>;
  /** Announced in the commit that removes the last reference to a file. */
  readonly released: EventRef<{ fileId: string }>;
}

/** An accepted file. A service that refers to it must commit the reference before the file expires. */
export const admittedFile = {
  type: "object",
  props: {
    fileId: id,
    purpose: { type: "string", enum: purposes },
    /** Safe to show and to save under: 1-200 characters, without a path or control characters. */
    name: { type: "string", min: 1, max: 200 },
    mimeType: { type: "string", max: 100 },
    /** Stored bytes. */
    size: { type: "number", integer: true, min: 1 },
    /** In pixels; images only. */
    width: { type: "number", integer: true, min: 1, optional: true },
    height: { type: "number", integer: true, min: 1, optional: true },
    hasThumb: { type: "boolean" },
    /** Store time, epoch milliseconds. */
    expiresAt: { type: "number" },
  },
} as const;
export type AdmittedFile = Infer<typeof admittedFile.props>;

/** What a gateway needs to serve a file. */
export interface StoredFile {
  readonly fileId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly size: number;
  /** Whether the file is an image: a copy without metadata, with a thumbnail. */
  readonly hasThumb: boolean;
}

/** Keys of a file in the blob store: the uploaded bytes, and the copies made of an image. A key never gets other bytes later. */
export const rawKey = (fileId: string): string => fileId;
export const imageKey = (fileId: string): string => `${fileId}.image`;
export const thumbKey = (fileId: string): string => `${fileId}.thumb`;
/** The key of the bytes to serve: for an image, its copy. */
export const contentKey = ({ fileId, hasThumb }: Pick<StoredFile, "fileId" | "hasThumb">): string =>
  hasThumb ? imageKey(fileId) : rawKey(fileId);

/** The largest accepted file, in bytes. */
export const maxFileBytes = 5 * 1024 * 1024;

export const media = contract("media", {
  reserve: {
    summary: "Reserve a key in the blob store for one upload of the caller, for a limited time",
    access: "user",
    params: { purpose: { type: "string", enum: purposes } },
    result: returns<{ fileId: string; expiresAt: number }>(),
  },
  admit: {
    summary:
      "Judge a file by the bytes that were written to its place: its type, and of an image its size, thumbnail and a copy without metadata",
    access: "user",
    errors: {
      NOT_FOUND: "The upload does not exist.",
      UNSUPPORTED_TYPE: "The picture is not a JPEG, PNG, GIF or WebP image.",
    },
    params: {
      fileId: id,
      name: { type: "string", max: 2000 },
      /** Bytes written. */
      size: { type: "number", integer: true, min: 1 },
    },
    result: returns<AdmittedFile>(),
    // Images wait in a queue. Not retried: a retry would double the work when there is already too much.
    policy: { timeoutMs: 30_000 },
  },
  giveUp: {
    summary: "Remove an upload of the caller that nothing refers to",
    access: "user",
    params: { fileId: id },
    result: returns<null>(),
  },
  picture: {
    summary: "A user's profile picture",
    access: "user",
    errors: { NOT_FOUND: "The picture does not exist." },
    params: { fileId: id },
    result: returns<StoredFile>(),
    policy: { retries: 2 },
  },
});
