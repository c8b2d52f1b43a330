/** Opens the context of media's functions. */
import type { Logger } from "moleculer";
import type { Blobs } from "../../core/blobs/blobs.ts";
import type { Clock } from "../../core/clock.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";
import { filesInUse } from "../file-users.ts";
import type { Purpose } from "./contract.ts";
import { openImageWorkers, type ImageWorkers } from "./images/image-workers.ts";

export interface MediaContext {
  readonly db: Database;
  readonly blobs: Blobs;
  readonly imageWorkers: ImageWorkers;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a file may stay without a reference, in milliseconds. */
  readonly graceMs: number;
  /** Whether a backup still needs the bytes of dropped files. Ask after dropping a row: later backups do not contain it. */
  readonly areBlobsHeld: () => Promise<boolean>;
  /** Returns those of the files, all of one purpose, that something refers to. */
  readonly filesInUse: (purpose: Purpose, fileIds: readonly string[]) => Promise<readonly string[]>;
}

export const openMediaContext = ({ broker, db, log, blobs, clock, config, installation }: ServiceResources): MediaContext => ({
  db,
  blobs,
  imageWorkers: openImageWorkers(),
  clock,
  log,
  graceMs: config.UPLOAD_GRACE_MS,
  areBlobsHeld: () => installation.areBlobsHeld(),
  filesInUse: (purpose, fileIds) => filesInUse(broker, purpose, fileIds),
});
