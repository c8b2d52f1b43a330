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

/** Longer file names are cut. */
const maxFileNameLength = 2000;

/** The admitted file, for the action that will refer to it. */
export interface AdmittedUpload {
  readonly file: AdmittedFile;
  /** Hex, of the bytes as sent. */
  readonly sha256: string;
}

interface UploadContext {
  readonly broker: ServiceBroker;
  readonly blobs: Blobs;
  readonly log: Logger;
}

interface ReceivedUpload {
  readonly file: UploadedFile;
  /** Validated. */
  readonly params: Record<string, unknown>;
  /** Makes new options for each call, because Moleculer writes the action's timeout into them. */
  readonly options: () => CallingOptions;
}

/**
 * Has media admit a file, if the user may upload it, and passes it to `use`, which refers to it.
 * @throws DomainError  the user may not upload it, or media refuses it, or from `use`; the file is not kept then
 */
export async function withAdmittedFile<T>(
  context: UploadContext,
  upload: Upload,
  received: ReceivedUpload,
  use: (file: AdmittedUpload) => Promise<T>,
): Promise<T> {
  const admitted = await admitUpload(context, upload, received);
  faultPoint("media.admitted");
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

/** Gives a file up that nothing refers to. Does not wait for media. */
function abandonFile({ broker, log }: UploadContext, fileId: string, options: () => CallingOptions): void {
  call(broker, media.giveUp, { fileId }, options()).catch((error: unknown) =>
    log.warn(`could not give up an unused upload, the sweeper will remove it: ${(error as Error).message}`),
  );
}

/** Whether a call failed definitely. After other errors the action may still run, and refer to the file. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code !== "UNAVAILABLE" && code !== "INTERNAL";
}
