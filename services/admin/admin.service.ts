/** What operators do by hand: look at dead letters, and hand them out again. The security log has each of it. */
import { portsOf } from "../../core/node/ports.ts";
import { securityLog } from "../../core/security/log.ts";
import { service } from "../../core/contract/service.ts";
import { admin } from "./contract.ts";
import { exposeInstallationMetrics } from "./metrics.ts";

export default service(admin, {
  started() {
    exposeInstallationMetrics(this.broker);
  },
  actions: {
    async deadLetters({ params: { group, limit }, meta, nodeID: caller }) {
      const letters = await portsOf(this.broker).queue.deadLetters(group, limit);
      const details = { action: admin.deadLetters.name, group, eventId: undefined, letters: letters.length, caller: caller ?? undefined };
      securityLog(this.broker).record("admin_action", { userId: meta.user?.id, client: meta.client }, details);
      return letters;
    },
    async replay({ params: { group, eventId }, meta, nodeID: caller }) {
      const letters = await portsOf(this.broker).queue.replay(group, eventId);
      const details = { action: admin.replay.name, group, eventId, letters, caller: caller ?? undefined };
      securityLog(this.broker).record("admin_action", { userId: meta.user?.id, client: meta.client }, details);
      return letters;
    },
  },
});
