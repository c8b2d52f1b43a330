/** Fault: the embedded server, which runs all services in one process, is killed repeatedly. */
import { eventually } from "../../support/eventually.ts";
import { promises, type CutOffSpan, type EmbeddedFault, type StrikeReport } from "../target/fault.ts";

const kills = 3;
/** Changes that must be acknowledged between two kills. */
const changesBetweenKills = 80;

const killedRepeatedly: EmbeddedFault = {
  name: "embedded-kill",
  what: `embedded: the server is killed (SIGKILL) and restarted, ${kills} times`,
  target: "embedded",
  promiseMs: promises.processMs,
  isQuick: true,
  async strike(target, storm): Promise<StrikeReport> {
    const from = Date.now();
    const cut: CutOffSpan[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      const killed = Date.now();
      target.server.signal("SIGKILL");
      await target.server.exited;
      await target.restart();
      // All clients are connected to this one process.
      cut.push(...storm.clients.map(({ name }) => ({ name, from: killed, until: Date.now() })));
      const before = storm.acknowledged();
      await eventually("the storm continues", () => storm.acknowledged() >= before + changesBetweenKills, 60_000);
    }
    return { from, cut };
  },
};

export const embedded: readonly EmbeddedFault[] = [killedRepeatedly];
