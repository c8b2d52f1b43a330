/** Fault: the embedded server's disk is full for a while. */
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { openSmallDisk, type SmallDisk } from "../../support/fault-injection/small-disk.ts";
import { promises, type EmbeddedFault, type Storm, type StrikeReport } from "../target/fault.ts";
import { startEmbeddedTarget } from "../target/start.ts";

const fullMs = 8000;
const samplingMs = 2000;

function fullDisk(): EmbeddedFault {
  let small: SmallDisk;
  return {
    name: "full-disk",
    what: `embedded: the disk is full; space is freed ${fullMs / 1000} s after the last message was stored`,
    target: "embedded",
    promiseMs: promises.infrastructureMs,
    async start() {
      small = openSmallDisk();
      const target = await startEmbeddedTarget(small.folder).catch((error: unknown) => {
        small.close();
        throw error;
      });
      const stop = target.stop.bind(target);
      return Object.assign(target, { stop: () => stop().then(() => small.close()) });
    },
    async strike({ server }, storm): Promise<StrikeReport> {
      small.fill(server.pid);
      await untilNothingIsStored(storm);
      await pause(fullMs);
      small.empty(server.pid);
      return { from: Date.now(), cut: [], note: `full-disk: simulated with ${small.means}` };
    },
  };
}

/** Waits until no chat gets new messages. On a full disk, space that the database files already have can still be used. */
async function untilNothingIsStored({ clients }: Storm): Promise<void> {
  const countMessages = () => clients.flatMap(({ parley }) => parley.chats()).reduce((sum, { lastN }) => sum + lastN, 0);
  let before = -1;
  const isUnchanged = async () => {
    const now = countMessages();
    if (now === before) return true;
    before = now;
    await pause(samplingMs);
    return false;
  };
  await eventually("no message can be stored any more", isUnchanged, 60_000);
}

export const disk: readonly EmbeddedFault[] = [fullDisk()];
