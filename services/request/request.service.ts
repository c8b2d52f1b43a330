/** Wires request: contact requests, contacts and blocks. */
import { service } from "../../core/contract/service.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import type { Account } from "../auth/contract.ts";
import { followed } from "../followers.ts";
import { blockPerson, endContact, unblockPerson } from "./relations/contacts.ts";
import { request } from "./contract.ts";
import { recordPerson, people } from "./email-directory.ts";
import { cancel, invite, respond } from "./relations/invites.ts";
import { listRequests } from "./lists/invite-lists.ts";
import { openContactRequestContext, type ContactRequestContext } from "./context.ts";
import { pageOfPeople } from "./lists/people-pages.ts";
import { restoring } from "./restoring.ts";
import { blockedBy, blocks, contactsOf, relationsOf, requests } from "./requests.repository.ts";

async function recordAccount({ db }: ContactRequestContext, { payload: { userId, emailId }, rev }: ReceivedEvent<Account>): Promise<void> {
  await recordPerson(db, { _id: userId, emailId, rev });
}
const following = follow(followed.request, {
  "auth.user.created": recordAccount,
  "auth.user.changed": recordAccount,
  async "auth.user.deleted"({ db }: ContactRequestContext, { payload: { userId }, rev }) {
    await recordPerson(db, { _id: userId, emailId: null, rev });
  },
});

export default service(request, {
  restoring,
  mixins: [context(openContactRequestContext), database("request", [requests, blocks, people, outbox]), relay, following],
  actions: {
    invite(ctx) {
      return invite(this.context, ctx, ctx.meta.user!.id, ctx.params);
    },
    respond(ctx) {
      return respond(this.context, ctx, ctx.meta.user!.id, ctx.params);
    },
    async cancel(ctx) {
      await cancel(this.context, ctx.meta.user!.id, ctx.params.requestId);
      return null;
    },
    sent(ctx) {
      return listRequests(this.context, ctx, "sent", ctx.meta.user!.id, ctx.params.status);
    },
    received(ctx) {
      return listRequests(this.context, ctx, "received", ctx.meta.user!.id, ctx.params.status);
    },
    connections(ctx) {
      return pageOfPeople(ctx, ctx.params, (limit, from) => contactsOf(this.context.db, ctx.meta.user!.id, limit, from));
    },
    async end(ctx) {
      await endContact(this.context, ctx, ctx.meta.user!.id, ctx.params.userId);
      return null;
    },
    blocks(ctx) {
      return pageOfPeople(ctx, ctx.params, (limit, from) => blockedBy(this.context.db, ctx.meta.user!.id, limit, from));
    },
    async block(ctx) {
      await blockPerson(this.context, ctx, ctx.meta.user!.id, ctx.params.userId);
      return null;
    },
    async unblock(ctx) {
      await unblockPerson(this.context, ctx, ctx.meta.user!.id, ctx.params.userId);
      return null;
    },
    relations(ctx) {
      return relationsOf(this.context.db, ctx.params.userId, ctx.params.otherIds);
    },
  },
});
