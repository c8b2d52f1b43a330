/** Wires auth: accounts, passwords and sessions. */
import { NotFound, Unauthenticated } from "../../core/errors.ts";
import { service } from "../../core/contract/service.ts";
import { background } from "../../mixins/background.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import { accountByEmail, accounts } from "./accounts.repository.ts";
import { openAuthContext } from "./context.ts";
import { auth } from "./contract.ts";
import { changePassword, logIn, signUp } from "./credentials.ts";
import * as present from "./present.ts";
import { restoring } from "./restoring.ts";
import { endSession } from "./sessions/sessions.ts";
import { startExpirySweep } from "./sessions/expired-sessions.ts";
import { revocationsAfter } from "./sessions/revocations.ts";
import { sessions } from "./sessions/sessions.repository.ts";

export default service(auth, {
  restoring,
  mixins: [context(openAuthContext), database("auth", [accounts, sessions, outbox]), relay, background(startExpirySweep)],
  actions: {
    signUp(ctx) {
      return signUp(this.context, ctx.params, ctx.meta.client);
    },
    logIn(ctx) {
      return logIn(this.context, ctx.params, ctx.meta.client);
    },
    async logOut(ctx) {
      const { user, client } = ctx.meta;
      await endSession(this.context, user!.sessionId, { userId: user!.id, client });
      return null;
    },
    async changePassword(ctx) {
      await changePassword(this.context, ctx.params, ctx.meta.user!, ctx.meta.client);
      return null;
    },
    async userByEmail(ctx) {
      const account = await accountByEmail(this.context.db, ctx.params.emailId);
      if (account === undefined) throw new NotFound("There is no account with this e-mail address");
      return { userId: account._id };
    },
    async me(ctx) {
      const account = await this.context.db.get(accounts, ctx.meta.user!.id);
      if (account === undefined) throw new Unauthenticated();
      return present.ownAccount(account);
    },
    async accounts(ctx) {
      const rows = await this.context.db.getMany(accounts, ctx.params.userIds);
      return rows.map(present.account);
    },
    async accountByEmail(ctx) {
      const account = await accountByEmail(this.context.db, ctx.params.emailId);
      return account === undefined ? null : present.account(account);
    },
    revocations(ctx) {
      return revocationsAfter(this.context, ctx.params);
    },
  },
});
