/** Files and pictures: what they are, who is asked whether they are in use, and when their bytes go. */
import { call } from "../../core/contract/call.ts";
import { portsOf } from "../../core/node/ports.ts";
import { service, type Mixin } from "../../core/contract/service.ts";
import { afterStarted } from "../../mixins/after-started.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { chat } from "../chat/contract.ts";
import { followed } from "../followers.ts";
import { profile } from "../profile/contract.ts";
import { admit, dropReleasedFile, giveUp, profilePicture, reserve, type MediaContext } from "./lifecycle/admission.ts";
import { media, type Purpose } from "./contract.ts";
import { openImageWorkers } from "./images/image-workers.ts";
import { files } from "./files.repository.ts";
import { restoring } from "./restoring.ts";
import { startSweeper, type FileSweeper } from "./lifecycle/sweeper.ts";

/** What `started` puts on the service. */
interface MediaServiceState {
  context: MediaContext;
  sweeper: FileSweeper;
}

async function dropReleased(this: MediaServiceState, { payload: { fileId } }: ReceivedEvent<{ fileId: string }>): Promise<void> {
  await dropReleasedFile(this.context, fileId);
}
const following = follow(followed.media, { "chat.file.dropped": dropReleased, "profile.picture.dropped": dropReleased });

const background: Mixin<MediaServiceState> = {
  ...afterStarted<MediaServiceState>(function () {
    this.sweeper = startSweeper(this.context);
  }),
  async stopped() {
    await (this["sweeper"] as FileSweeper | undefined)?.stop();
    (this["context"] as MediaContext | undefined)?.imageWorkers.close();
  },
};

export default service(media, {
  restoring,
  mixins: [database("media", [files]), following, background],
  started() {
    const { broker } = this;
    const { blobs, clock, config, installation } = portsOf(broker);
    this.context = {
      db: this.db,
      blobs,
      imageWorkers: openImageWorkers(),
      clock,
      log: this.logger,
      graceMs: config.UPLOAD_GRACE_MS,
      areBlobsHeld: () => installation.areBlobsHeld(),
      filesInUse: (purpose: Purpose, fileIds: readonly string[]) =>
        call(broker, purpose === "profile" ? profile.picturesInUse : chat.filesInUse, { fileIds: [...fileIds] }),
    };
  },
  actions: {
    reserve(ctx) {
      return reserve(this.context, ctx.meta.user!.id, ctx.params.purpose);
    },
    admit(ctx) {
      const { fileId, name, size } = ctx.params;
      return admit(this.context, ctx.meta.user!.id, fileId, { name, size });
    },
    async giveUp(ctx) {
      await giveUp(this.context, ctx.meta.user!.id, ctx.params.fileId);
      return null;
    },
    picture(ctx) {
      return profilePicture(this.context, ctx.params.fileId);
    },
  },
});
