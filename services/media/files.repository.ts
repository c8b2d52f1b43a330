/**
 * Files as media knows them, a row each. `reserved`: bytes may be arriving. `ready`: judged, and someone may refer to it until it
 * expires. `kept`: someone does. `dropped`: nobody will any more; the row stays for a while, so that what a late writer still
 * stores under its keys is found and removed too.
 */
import { collection, insert, remove, storeTime, update, type Database, type Fields } from "../../core/store/store.ts";
import { imageKey, rawKey, thumbKey, type Purpose } from "./contract.ts";

export type FileState = "reserved" | "ready" | "kept" | "dropped";

/** What the bytes turned out to be. */
export interface FileProperties {
  readonly name: string;
  readonly mimeType: string;
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly hasThumb: boolean;
}

export interface MediaFileRow extends Partial<FileProperties> {
  readonly _id: string;
  readonly ownerId: string;
  readonly purpose: Purpose;
  readonly state: FileState;
  /** Store time at which it came to this state. */
  readonly since: number;
  readonly expiresAt: number;
}
/** A row that has been judged. */
export type AdmittedFileRow = MediaFileRow & FileProperties;

/** What is being sent or was let go has no bytes that anybody waits for. */
const blobs = (row: MediaFileRow): readonly string[] =>
  !isAdmitted(row) ? [] : row.hasThumb ? [imageKey(row._id), thumbKey(row._id)] : [rawKey(row._id)];

export const files = collection<MediaFileRow>()("files", { byState: { fields: ["state", "since", "_id"] } }, { blobs });

export const isAdmitted = (row: MediaFileRow | undefined): row is AdmittedFileRow => row?.state === "ready" || row?.state === "kept";

export async function insertFile(db: Database, row: Omit<MediaFileRow, "state" | "since">): Promise<void> {
  await db.commit([insert(files, { ...row, state: "reserved", since: storeTime })]);
}

/** Brings a row from the state it was seen in to another. Throws `Conflict` when it is not in that state any more. */
export async function changeFileState(
  db: Database,
  { _id, state, since }: MediaFileRow,
  to: FileState,
  properties: Fields<FileProperties> = {},
): Promise<void> {
  await db.commit([update(files, { _id, state, since }, { ...properties, state: to, since: storeTime })]);
}

/** Rows that have been in a state since before a time, oldest first, after the one given. */
export const filesInStateSince = (db: Database, state: FileState, before: number, last?: MediaFileRow): Promise<MediaFileRow[]> =>
  db.page(files, {
    index: "byState",
    where: { state },
    ...(last === undefined ? {} : { after: [last.since, last._id] }),
    before: [before],
    limit: 100,
  });

export async function deleteFileRow(db: Database, fileId: string): Promise<void> {
  await db.commit([remove(files, { _id: fileId })]);
}
