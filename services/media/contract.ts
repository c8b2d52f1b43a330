/** What media offers: files taken in, judged by their bytes, and given out. The bytes themselves go between the gateway and the blob store. */
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

/** A file that was taken in and judged; whoever refers to it must do so before it expires. */
export const admittedFile = {
  type: "object",
  props: {
    fileId: id,
    purpose: { type: "string", enum: purposes },
    /** Safe to show and to save under: no path, no control characters, 1-200 characters. */
    name: { type: "string", min: 1, max: 200 },
    mimeType: { type: "string", max: 100 },
    /** Bytes as kept. */
    size: { type: "number", integer: true, min: 1 },
    /** Pixels, of images. */
    width: { type: "number", integer: true, min: 1, optional: true },
    height: { type: "number", integer: true, min: 1, optional: true },
    hasThumb: { type: "boolean" },
    /** Epoch milliseconds by the store's clock. */
    expiresAt: { type: "number" },
  },
} as const;
export type AdmittedFile = Infer<typeof admittedFile.props>;

/** What a gateway needs to give a file out. */
export interface StoredFile {
  readonly fileId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly size: number;
  /** It is an image: a copy without metadata, which has a thumbnail. */
  readonly hasThumb: boolean;
}

/** Where the bytes are in the blob store: as they were sent, and what was made of an image. No key is written to with other bytes later. */
export const rawKey = (fileId: string): string => fileId;
export const imageKey = (fileId: string): string => `${fileId}.image`;
export const thumbKey = (fileId: string): string => `${fileId}.thumb`;
/** The bytes to give out: of an image the copy. */
export const contentKey = ({ fileId, hasThumb }: Pick<StoredFile, "fileId" | "hasThumb">): string =>
  hasThumb ? imageKey(fileId) : rawKey(fileId);

/** The largest file that is taken in. */
export const maxFileBytes = 5 * 1024 * 1024;

export const media = contract("media", {
  reserve: {
    summary: "A place in the blob store for one file of one's own, for a short while",
    access: "user",
    params: { purpose: { type: "string", enum: purposes } },
    result: returns<{ fileId: string; expiresAt: number }>(),
  },
  admit: {
    summary:
      "Judge a file by the bytes that were written to its place: its type, and of an image its size, thumbnail and a copy without metadata",
    access: "user",
    errors: {
      NOT_FOUND: "There is no such upload.",
      UNSUPPORTED_TYPE: "A picture that is no JPEG, PNG, GIF or WebP.",
    },
    params: {
      fileId: id,
      name: { type: "string", max: 2000 },
      /** Bytes, as they were written. */
      size: { type: "number", integer: true, min: 1 },
    },
    result: returns<AdmittedFile>(),
    // Images wait for their turn. Not repeated: that would double the work where it is too much already.
    policy: { timeoutMs: 30_000 },
  },
  giveUp: {
    summary: "Remove a file of one's own that nothing came to refer to",
    access: "user",
    params: { fileId: id },
    result: returns<null>(),
  },
  picture: {
    summary: "Someone's profile picture",
    access: "user",
    errors: { NOT_FOUND: "There is no such picture." },
    params: { fileId: id },
    result: returns<StoredFile>(),
    policy: { retries: 2 },
  },
});
