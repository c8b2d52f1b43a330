/** Wires profile: what users say about themselves. */
import { call } from "../../core/contract/call.ts";
import { service } from "../../core/contract/service.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import type { Account } from "../auth/contract.ts";
import { followed } from "../followers.ts";
import { request } from "../request/contract.ts";
import { openProfileContext, type ProfileContext } from "./context.ts";
import { profile } from "./contract.ts";
import { forgetProfile, patchProfile, readProfile, readSummaries } from "./profiles.ts";
import { canSeeWholeProfile } from "./policy.ts";
import * as present from "./present.ts";
import { addProfile, eraseProfile, initialProfile, picturesInUse, profiles } from "./profiles.repository.ts";

/** After sign-up, names change only in profile. So an event only makes sure that the profile exists. */
async function addMissingProfile({ db }: ProfileContext, { payload }: ReceivedEvent<Account>): Promise<void> {
  await addProfile(db, initialProfile(payload));
}
const following = follow(followed.profile, {
  "auth.user.created": addMissingProfile,
  "auth.user.changed": addMissingProfile,
  async "auth.user.deleted"({ db, cache }: ProfileContext, { payload: { userId } }) {
    await eraseProfile(db, userId);
    await forgetProfile(cache, userId);
  },
});

export default service(profile, {
  mixins: [context(openProfileContext), database("profile", [profiles, outbox]), relay, following],
  actions: {
    mine(ctx) {
      return readProfile(this.context, ctx, ctx.meta.user!.id);
    },
    async byId(ctx) {
      const { userId } = ctx.params;
      const me = ctx.meta.user!.id;
      if (userId === me) return readProfile(this.context, ctx, userId);
      const [relation] = await call(ctx, request.relations, { userId: me, otherIds: [userId] });
      const answer = await readProfile(this.context, ctx, userId);
      return canSeeWholeProfile(relation!) ? answer : { ...answer, profile: present.summaryOf(answer.profile) };
    },
    patch(ctx) {
      return patchProfile(this.context, ctx, ctx.meta.user!.id, ctx.params);
    },
    summaries(ctx) {
      return readSummaries(this.context, ctx, ctx.params.userIds);
    },
    picturesInUse(ctx) {
      return picturesInUse(this.context.db, ctx.params.fileIds);
    },
  },
});
