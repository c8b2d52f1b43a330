/**
 * Stores one row per file. `reserved`: bytes may be arriving. `ready`: inspected, and may be referred to until it expires. `kept`: in use.
 * `dropped`: no longer usable; the row stays for a while, so that bytes which a late writer stores under its keys are removed too.
 */
import { collection, insert, remove, storeTime, update, type Database, type Fields } from "../../core/store/store.ts";
import { imageKey, rawKey, thumbKey, type Purpose } from "./contract.ts";

export type FileState = "reserved" | "ready" | "kept" | "dropped";

/** Properties detected from the bytes. */
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
  /** Store time at which the file reached its state. */
  readonly since: number;
  readonly expiresAt: number;
}
/** The row of an inspected file. */
export type AdmittedFileRow = MediaFileRow & FileProperties;

/** Reserved and dropped files have no bytes that anything needs. */
const blobs = (row: MediaFileRow): readonly string[] =>
  !isAdmitted(row) ? [] : row.hasThumb ? [imageKey(row._id), thumbKey(row._id)] : [rawKey(row._id)];

export const files = collection<MediaFileRow>()("files", { byState: { fields: ["state", "since", "_id"] } }, { blobs });

export const isAdmitted = (row: MediaFileRow | undefined): row is AdmittedFileRow => row?.state === "ready" || row?.state === "kept";

export async function insertFile(db: Database, row: Omit<MediaFileRow, "state" | "since">): Promise<void> {
  await db.commit([insert(files, { ...row, state: "reserved", since: storeTime })]);
}

/** Moves a row from the state that was read to another. @throws Conflict  it is no longer in that state */
export async function changeFileState(
  db: Database,
  { _id, state, since }: MediaFileRow,
  to: FileState,
  properties: Fields<FileProperties> = {},
): Promise<void> {
  await db.commit([update(files, { _id, state, since }, { ...properties, state: to, since: storeTime })]);
}

/** Rows that reached a state before the given time, oldest first, after the given row. */
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
