/** The embedded server, all of Parley in one process, killed again and again. */
import { eventually } from "../../support/eventually.ts";
import { promises, type CutOffSpan, type EmbeddedFault, type StrikeReport } from "../target/fault.ts";

const kills = 3;
/** Acknowledged between two kills. */
const between = 80;

const killedThrice: EmbeddedFault = {
  name: "embedded-kill",
  what: `embedded: the server is killed (SIGKILL) and started again, ${kills} times`,
  world: "embedded",
  promiseMs: promises.processMs,
  isQuick: true,
  async strike(world, storm): Promise<StrikeReport> {
    const from = Date.now();
    const cut: CutOffSpan[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      const killed = Date.now();
      world.server.signal("SIGKILL");
      await world.server.exited;
      await world.restart();
      // Everyone hangs on the one process.
      cut.push(...storm.clients.map(({ name }) => ({ name, from: killed, until: Date.now() })));
      const before = storm.acknowledged();
      await eventually("the storm goes on", () => storm.acknowledged() >= before + between, 60_000);
    }
    return { from, cut };
  },
};

export const embedded: readonly EmbeddedFault[] = [killedThrice];
