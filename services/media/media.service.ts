/** Wires media: accepts uploads, serves pictures, and removes files that are no longer in use. */
import { service } from "../../core/contract/service.ts";
import { background } from "../../mixins/background.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { followAll, type ReceivedEvent } from "../../mixins/follower.ts";
import { followed } from "../followers.ts";
import { admit, reserve } from "./lifecycle/admission.ts";
import { dropReleasedFile, giveUp } from "./lifecycle/removal.ts";
import { profilePicture } from "./pictures.ts";
import { openMediaContext, type MediaContext } from "./context.ts";
import { media } from "./contract.ts";
import { files } from "./files.repository.ts";
import { restoring } from "./restoring.ts";
import { startSweeper } from "./lifecycle/sweeper.ts";

async function dropReleased(released: MediaContext, { payload: { fileId } }: ReceivedEvent<{ fileId: string }>): Promise<void> {
  await dropReleasedFile(released, fileId);
}
const following = followAll(followed.media, dropReleased);

export default service(media, {
  restoring,
  mixins: [
    context(openMediaContext),
    database("media", [files]),
    following,
    background(startSweeper),
    background(
      ({ imageWorkers }: MediaContext) =>
        () =>
          imageWorkers.close(),
    ),
  ],
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
