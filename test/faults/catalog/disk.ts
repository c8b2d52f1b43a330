/** The disk under the embedded server is full for a while. */
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { openSmallDisk, type SmallDisk } from "../../support/fault-injection/small-disk.ts";
import { promises, type EmbeddedFault, type Storm, type StrikeReport } from "../target/fault.ts";
import { startEmbeddedTarget } from "../target/start.ts";

const fullMs = 8000;
const stillMs = 2000;

function fullDisk(): EmbeddedFault {
  let small: SmallDisk;
  return {
    name: "full-disk",
    what: `embedded: the disk is full, and emptied ${fullMs / 1000} s after the last message found room`,
    world: "embedded",
    promiseMs: promises.infrastructureMs,
    async start() {
      small = openSmallDisk();
      const world = await startEmbeddedTarget(small.folder).catch((error: unknown) => {
        small.close();
        throw error;
      });
      const stop = world.stop.bind(world);
      return Object.assign(world, { stop: () => stop().then(() => small.close()) });
    },
    async strike({ server }, storm): Promise<StrikeReport> {
      small.fill(server.pid);
      await nothingStored(storm);
      await pause(fullMs);
      small.empty(server.pid);
      return { from: Date.now(), cut: [], note: `full-disk: by ${small.means}` };
    },
  };
}

/** Waits until chats stand still; some room may be left in the files themselves. */
async function nothingStored({ clients: dwellers }: Storm): Promise<void> {
  const numbered = () => dwellers.flatMap(({ parley }) => parley.chats()).reduce((sum, { lastN }) => sum + lastN, 0);
  let before = -1;
  const standsStill = async () => {
    const now = numbered();
    if (now === before) return true;
    before = now;
    await pause(stillMs);
    return false;
  };
  await eventually("no message finds room any more", standsStill, 60_000);
}

export const disk: readonly EmbeddedFault[] = [fullDisk()];
