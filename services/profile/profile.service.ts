/** Who people say they are. */
import { call } from "../../core/contract/call.ts";
import { portsOf } from "../../core/node/ports.ts";
import { service, type Mixin } from "../../core/contract/service.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import type { Account } from "../auth/contract.ts";
import { followed } from "../followers.ts";
import { request } from "../request/contract.ts";
import { profile } from "./contract.ts";
import { forgetProfile, patchProfile, profileOf, summariesOf, type Reading } from "./people.ts";
import { maySeeWhole } from "./policy.ts";
import * as present from "./present.ts";
import { addProfile, eraseProfile, firstProfile, picturesInUse, profiles } from "./profiles.repository.ts";

/** What `started` puts on the service. */
interface Parts {
  reading: Reading;
}
const parts: Mixin<Parts> = {};

/** After sign-up names are changed here and nowhere else, so an event only makes sure that there is a profile. */
async function addKnown(this: Parts, { payload }: ReceivedEvent<Account>): Promise<void> {
  await addProfile(this.reading.db, firstProfile(payload));
}
const following = follow(followed.profile, {
  "auth.user.created": addKnown,
  "auth.user.changed": addKnown,
  async "auth.user.deleted"(this: Parts, { payload: { userId } }) {
    await eraseProfile(this.reading.db, userId);
    await forgetProfile(this.reading.cache, userId);
  },
});

export default service(profile, {
  mixins: [database("profile", [profiles, outbox]), relay, following, parts],
  started() {
    this.reading = { ...portsOf(this.broker), db: this.db };
  },
  actions: {
    mine(ctx) {
      return profileOf(this.reading, ctx, ctx.meta.user!.id);
    },
    async byId(ctx) {
      const { userId } = ctx.params;
      const me = ctx.meta.user!.id;
      if (userId === me) return profileOf(this.reading, ctx, userId);
      const [relation] = await call(ctx, request.relations, { userId: me, otherIds: [userId] });
      const answer = await profileOf(this.reading, ctx, userId);
      return maySeeWhole(relation!) ? answer : { ...answer, profile: present.summaryOf(answer.profile) };
    },
    patch(ctx) {
      return patchProfile(this.reading, ctx, ctx.meta.user!.id, ctx.params);
    },
    summaries(ctx) {
      return summariesOf(this.reading, ctx, ctx.params.userIds);
    },
    picturesInUse(ctx) {
      return picturesInUse(this.db, ctx.params.fileIds);
    },
  },
});
