/** Lets operators list and replay dead letters by hand. The security log records each action. */
import type { Ctx } from "../../core/contract/call.ts";
import { service } from "../../core/contract/service.ts";
import { context } from "../../mixins/context.ts";
import { openAdminContext, type AdminContext } from "./context.ts";
import { admin } from "./contract.ts";

interface AdminAction {
  readonly action: string;
  readonly group: string;
  readonly eventId: string | undefined;
  readonly letters: number;
}

function recordAction({ security }: AdminContext, { meta, nodeID }: Ctx<unknown>, action: AdminAction): void {
  security.record("admin_action", { userId: meta.user?.id, client: meta.client }, { ...action, caller: nodeID ?? undefined });
}

export default service(admin, {
  mixins: [context(openAdminContext)],
  actions: {
    async deadLetters(ctx) {
      const { group, limit } = ctx.params;
      const letters = await this.context.queue.deadLetters(group, limit);
      recordAction(this.context, ctx, { action: admin.deadLetters.name, group, eventId: undefined, letters: letters.length });
      return letters;
    },
    async replay(ctx) {
      const { group, eventId } = ctx.params;
      const letters = await this.context.queue.replay(group, eventId);
      recordAction(this.context, ctx, { action: admin.replay.name, group, eventId, letters });
      return letters;
    },
  },
});
