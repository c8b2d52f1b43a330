/** What operators do by hand: look at dead letters, and hand them out again. */
import { portsOf } from "../../core/ports.ts";
import { service } from "../../core/service.ts";
import { admin } from "./contract.ts";
import { collectInstallation } from "./metrics.ts";

export default service(admin, {
  started() {
    collectInstallation(this.broker);
  },
  actions: {
    deadLetters(ctx) {
      return portsOf(this.broker).queue.deadLetters(ctx.params.group, ctx.params.limit);
    },
    replay(ctx) {
      return portsOf(this.broker).queue.replay(ctx.params.group, ctx.params.eventId);
    },
  },
});
