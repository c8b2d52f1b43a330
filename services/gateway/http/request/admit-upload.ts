/**
 * Stores an uploaded file and has media admit it. The bytes go to a blob that media reserved, and only once the sender is known, the
 * params are valid and the sender may upload. A file that nothing refers to in the end is given up; if that fails too, media's
 * sweeper removes it.
 */
import type { CallingOptions, Logger, ServiceBroker } from "moleculer";
import type { Blobs } from "../../../../core/blobs/blobs.ts";
import { call } from "../../../../core/contract/call.ts";
import { codeOf } from "../../../../core/errors.ts";
import { faultPoint } from "../../fault-points.ts";
import { media, rawKey, type AdmittedFile } from "../../../media/contract.ts";
import type { UploadedFile } from "./spool.ts";
import type { Upload } from "./upload.ts";

/** Of a file's name, as it is handed on. */
const maxFileNameLength = 2000;

/** What became of it: for the action that is to refer to it. */
export interface AdmittedUpload {
  readonly file: AdmittedFile;
  /** Of the bytes as sent, hex. */
  readonly sha256: string;
}

/** What taking in needs of its gateway. */
interface UploadContext {
  readonly broker: ServiceBroker;
  readonly blobs: Blobs;
  readonly log: Logger;
}

/** A file with what it came with. */
interface ReceivedUpload {
  readonly file: UploadedFile;
  /** As validated. */
  readonly params: Record<string, unknown>;
  /** For one call: Moleculer writes an action's timeout into them. */
  readonly options: () => CallingOptions;
}

/**
 * Takes a file in, for someone who may send it, and lets `use` refer to it.
 * @throws DomainError  they may not, or the file won't do, or what `use` throws; nothing of the file is kept then
 */
export async function withAdmittedFile<T>(
  context: UploadContext,
  upload: Upload,
  received: ReceivedUpload,
  use: (file: AdmittedUpload) => Promise<T>,
): Promise<T> {
  const admitted = await admitUpload(context, upload, received);
  faultPoint("media.taken");
  try {
    const result = await use(admitted);
    if (upload.isUsed?.(result, admitted.file) === false) abandonFile(context, admitted.file.fileId, received.options);
    return result;
  } catch (error) {
    if (isRefusal(error)) abandonFile(context, admitted.file.fileId, received.options);
    throw error;
  }
}

async function admitUpload(
  context: UploadContext,
  { purpose, authorize }: Upload,
  { file, params, options }: ReceivedUpload,
): Promise<AdmittedUpload> {
  const { broker, blobs } = context;
  const { name, size, sha256, read } = file;
  if (authorize !== undefined) await call(broker, authorize.action, authorize.input(params), options());
  const { fileId } = await call(broker, media.reserve, { purpose }, options());
  try {
    await blobs.write(rawKey(fileId), read(), size);
    faultPoint("media.written");
    return { file: await call(broker, media.admit, { fileId, name: name.slice(0, maxFileNameLength), size }, options()), sha256 };
  } catch (error) {
    abandonFile(context, fileId, options);
    throw error;
  }
}

/** Lets go of a file that nothing refers to; nobody waits for it. */
function abandonFile({ broker, log }: UploadContext, fileId: string, options: () => CallingOptions): void {
  call(broker, media.giveUp, { fileId }, options()).catch((error: unknown) =>
    log.warn(`an unused upload is left to the sweeper: ${(error as Error).message}`),
  );
}

/** Whether a call was refused for good. One that failed otherwise may still be carried out, and refer to the file. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code !== "UNAVAILABLE" && code !== "INTERNAL";
}
