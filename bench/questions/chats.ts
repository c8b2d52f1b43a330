/** Measures throughput in messages per second: in one busy chat, and spread over 100 chats of the same size. */
import { availableParallelism } from "node:os";
import type { Bench, BenchOptions, BenchMode } from "../measure/bench.ts";
import { capacityOf, type Drive } from "../measure/capacity.ts";
import { percentileOf, connectCrowd, sharesOf, type ChatWindow } from "../servers/crowd.ts";
import { limitOf, pairsOf, type Used } from "../measure/measure.ts";
import { duringOf, pidsOf, roles, type ByRole } from "../measure/mesh-roles.ts";
import { filledMesh, filledServer, type Fill } from "../seed/filled.ts";
import { chatsOf, loadClientsOf, seedCircles, type Circle } from "../seed/groups.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

/** In both cases every message reaches ten sockets. */
const size = 10;
const busyChat = { circles: 1, size, chats: 1 };
const manyChats = { circles: 10, size, chats: 10 };
const fill: Fill<Circle[]> = (store, urls) => seedCircles(store, urls, [busyChat, manyChats]);

/** A window and its saturated side. */
interface Saturated extends ChatWindow {
  readonly limit: string;
}
interface ChatsSetup {
  readonly circles: readonly Circle[];
  readonly drive: (chatIds: readonly string[]) => Drive<Saturated>;
  readonly stop: () => Promise<unknown>;
}

async function run({ world, pairs: count, windowMs, note }: BenchOptions): Promise<ResultRow[]> {
  const { circles, drive, stop } = await setups[world]();
  try {
    const [one, ...others] = circles;
    const [busy, many] = [drive(one!.chatIds), drive(chatsOf(others))];
    const concurrency = { busy: (await capacityOf(busy)).concurrency, many: (await capacityOf(many)).concurrency };
    const inMany = () => many({ concurrency: concurrency.many }, windowMs);
    const inOne = () => busy({ concurrency: concurrency.busy }, windowMs);
    const pairs = await pairsOf(count, inMany, inOne);
    const last = pairs.at(-1)!;
    note(`100 chats: ${concurrency.many} concurrent messages; the limit was ${last.ours.limit}.`);
    note(`One chat: ${concurrency.busy} concurrent; the limit was ${last.baseline.limit}.`);
    const row = (question: string, unit: string, of: (window: Saturated) => number) =>
      rowOf({ question: `100 chats of 10, against one: ${question}`, unit, of }, pairs);
    return [
      row("messages/s", "/s", ({ perSecond }) => perSecond),
      row("deliveries/s", "/s", ({ perSecond, deliveries, messages }) => (perSecond * deliveries) / messages),
      row(
        "send to acknowledgement, p50",
        "ms",
        percentileOf(50, ({ ackMs }) => ackMs),
      ),
    ];
  } finally {
    await stop();
  }
}

const setups: Readonly<Record<BenchMode, () => Promise<ChatsSetup>>> = {
  async embedded() {
    const { content: circles, server, remove } = await filledServer(fill);
    const crowd = await connectCrowd(server, sharesOf(circles.map(loadClientsOf)), "subscribe");
    return {
      circles,
      drive: (chatIds) => async (pace, forMs) => {
        const window = await crowd.drive({ chatIds, pace, forMs });
        return { ...window, limit: limitOf(window.server, window.clients) };
      },
      stop: () => crowd.leave().finally(remove),
    };
  },
  async mesh() {
    const { content: circles, mesh, urls, remove } = await filledMesh(fill, ["gatewayB"]);
    const pids = pidsOf(mesh);
    const crowd = await connectCrowd({ url: urls[0], pid: mesh.node("gatewayA").pid }, sharesOf(circles.map(loadClientsOf)), "subscribe");
    return {
      circles,
      drive: (chatIds) => async (pace, forMs) => {
        const { outcome, byRole } = await duringOf(pids, () => crowd.drive({ chatIds, pace, forMs }));
        return { ...outcome, limit: limitOfMesh(byRole, outcome.clients) };
      },
      stop: () => crowd.leave().finally(remove),
    };
  },
};

/** A mesh on one machine shares its cores, so the cores are the limit before any single process is. */
function limitOfMesh(byRole: ByRole, clients: readonly Used[]): string {
  const cores = (all: readonly Used[]) => all.reduce((sum, { allMs, wallMs }) => sum + allMs / wallMs, 0);
  const parts = [...roles.map((role) => [role, cores([byRole[role]])] as const), ["client", cores(clients)] as const];
  const shares = parts.map(([name, share]) => `${name} ${Math.round(share * 100)} %`).join(", ");
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  return `${total.toFixed(2)} of the machine's ${availableParallelism()} cores (of a core: ${shares})`;
}

export const chats: Bench = {
  name: "chats",
  title: "Messages in 100 chats, against one busy chat",
  worlds: ["embedded", "mesh"],
  run,
};
