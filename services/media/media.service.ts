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
import { admit, dropUsed, giveUp, profilePicture, reserve, type Keeping } from "./admission.ts";
import { media, type Purpose } from "./contract.ts";
import { openDarkroom } from "./darkroom.ts";
import { files } from "./files.repository.ts";
import { restoring } from "./restoring.ts";
import { startSweeper, type Sweeper } from "./sweeper.ts";

/** What `started` puts on the service. */
interface Parts {
  keeping: Keeping;
  sweeper: Sweeper;
}

async function drop(this: Parts, { payload: { fileId } }: ReceivedEvent<{ fileId: string }>): Promise<void> {
  await dropUsed(this.keeping, fileId);
}
const following = follow(followed.media, { "chat.file.dropped": drop, "profile.picture.dropped": drop });

const sweeping: Mixin<Parts> = {
  ...afterStarted<Parts>(function () {
    this.sweeper = startSweeper(this.keeping);
  }),
  async stopped() {
    await (this["sweeper"] as Sweeper | undefined)?.stop();
    (this["keeping"] as Keeping | undefined)?.darkroom.close();
  },
};

export default service(media, {
  restoring,
  mixins: [database("media", [files]), following, sweeping],
  started() {
    const { broker } = this;
    const { blobs, clock, config, installation } = portsOf(broker);
    this.keeping = {
      db: this.db,
      blobs,
      darkroom: openDarkroom(),
      clock,
      log: this.logger,
      graceMs: config.UPLOAD_GRACE_MS,
      areBlobsHeld: () => installation.areBlobsHeld(),
      inUse: (purpose: Purpose, fileIds: readonly string[]) =>
        call(broker, purpose === "profile" ? profile.picturesInUse : chat.filesInUse, { fileIds: [...fileIds] }),
    };
  },
  actions: {
    reserve(ctx) {
      return reserve(this.keeping, ctx.meta.user!.id, ctx.params.purpose);
    },
    admit(ctx) {
      const { fileId, name, size } = ctx.params;
      return admit(this.keeping, ctx.meta.user!.id, fileId, { name, size });
    },
    async giveUp(ctx) {
      await giveUp(this.keeping, ctx.meta.user!.id, ctx.params.fileId);
      return null;
    },
    picture(ctx) {
      return profilePicture(this.keeping, ctx.params.fileId);
    },
  },
});
