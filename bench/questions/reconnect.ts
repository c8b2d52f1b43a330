/**
 * Measures a mass reconnect: 2,000 clients whose connections were cut, or whose server restarted, each with messages to catch up on; and
 * its effect on a chat whose members stayed connected.
 */
import type { ApiResponse } from "../../test/support/people/person.ts";
import type { Bench, BenchOptions, BenchMode } from "../measure/bench.ts";
import { connectCrowd, type Crowd, type ChatWindow } from "../servers/crowd.ts";
import { startLoad } from "../load/remote.ts";
import type { Returned, Returning } from "../load/returning.ts";
import { during, percentile, spreadOf, type MeasuredPair } from "../measure/measure.ts";
import { pidsOf } from "../measure/mesh-roles.ts";
import { filledMesh, filledServer, type Fill } from "../seed/filled.ts";
import { loadClientsOf, seedCircles, type Circle } from "../seed/groups.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

/** 2,000 users, each in five chats of ten, and ten who stay. */
const returning = { circles: 200, size: 10, chats: 5 };
const bystanders = { circles: 1, size: 10, chats: 1 };
const peopleCount = returning.circles * returning.size;
const loadProcesses = 4;
/** Messages sent to each chat while its members are away. */
const missed = 2;
const sendersAtOnce = 20;
/** Rate of the bystanders' messages. */
const pace = { perSecond: 50 };
const stepMs = 500;

interface ReconnectSetup {
  readonly circles: readonly Circle[];
  /** Address of the returning clients. The bystanders use another gateway if there are two. */
  readonly url: string;
  readonly bystandersAt: () => { readonly url: string; readonly pid: number };
  /** Processes that serve the returning clients. */
  readonly pids: () => readonly number[];
  /** Restarts the server of the returning clients. */
  readonly restart: () => Promise<unknown>;
  readonly stop: () => Promise<unknown>;
}

async function run({ world, pairs: count, windowMs, note }: BenchOptions): Promise<ResultRow[]> {
  const setup = await setups[world]();
  const [bystanding, ...circles] = setup.circles as [Circle, ...Circle[]];
  const loads = Array.from({ length: loadProcesses }, () => startLoad<Returning>("returning"));
  try {
    const shares = loads.map((_, share) => circles.filter((_circle, index) => index % loads.length === share).flatMap(loadClientsOf));
    await Promise.all(loads.map((load, index) => load.ask("arrive", { url: setup.url, loadClients: shares[index]! })));
    /** @param renew  runs while all clients are away */
    const round = async (renew: () => Promise<unknown>): Promise<ReconnectRound> => {
      await Promise.all(loads.map((load) => load.ask("leave", undefined)));
      const lastN = await sendTo(circles);
      await renew();
      const crowd = await connectCrowd(setup.bystandersAt(), [loadClientsOf(bystanding)], "subscribe");
      const before = await crowd.drive({ chatIds: bystanding.chatIds, pace, forMs: windowMs });
      const back = during(setup.pids(), () => Promise.all(loads.map((load) => load.ask("comeBack", { lastN }))));
      const meanwhile = await drivenUntil(crowd, bystanding.chatIds, back);
      await crowd.leave();
      const { outcome: returned, used } = await back;
      return { returned, before, meanwhile, cpuMs: used.reduce((sum, { allMs }) => sum + allMs, 0) };
    };
    const cut: ReconnectRound[] = [];
    const renewed: ReconnectRound[] = [];
    for (let i = 0; i < count; i++) {
      cut.push(await round(() => Promise.resolve()));
      renewed.push(await round(setup.restart));
    }
    note(
      `${peopleCount} clients, each in ${returning.chats} chats of ${returning.size}, in ${loadProcesses} processes on the same machine; ` +
        `${missed} messages were sent to each chat while they were away. The bystanders send ${pace.perSecond} messages/s in their chat of ${bystanders.size}` +
        (world === "mesh" ? ", through another gateway." : ", through the same server."),
    );
    return [...rowsOf("connections cut", cut), ...rowsOf("server restarted", renewed)];
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
    await setup.stop();
  }
}

interface ReconnectRound {
  readonly returned: readonly Returned[];
  readonly before: ChatWindow;
  readonly meanwhile: readonly ChatWindow[];
  /** CPU of the servers until all clients had caught up. */
  readonly cpuMs: number;
}

/** Lets one user of each circle send in its chats. @returns the last `n` of each chat */
async function sendTo(circles: readonly Circle[]): Promise<Record<string, number>> {
  const lastN: Record<string, number> = {};
  const left = circles.slice();
  const sender = async () => {
    for (let circle = left.pop(); circle !== undefined; circle = left.pop()) {
      for (const chatId of circle.chatIds) {
        for (let i = 0; i < missed; i++) {
          const answer = await circle.people[0]!.post("/chat/messages", { chatId, text: "Where are you all?" });
          const { status, body } = answer as ApiResponse<{ n: number }>;
          if (status !== 201) throw new Error(`a message was answered ${status}: ${JSON.stringify(body)}`);
          lastN[chatId] = body.n;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, sender));
  return lastN;
}

async function drivenUntil(crowd: Crowd, chatIds: readonly string[], end: Promise<unknown>): Promise<ChatWindow[]> {
  const windows: ChatWindow[] = [];
  const over = new AbortController();
  void end.finally(() => over.abort()).catch(() => undefined); // the caller awaits `end` and gets its error
  do windows.push(await crowd.drive({ chatIds, pace, forMs: stepMs }));
  while (!over.signal.aborted);
  return windows;
}

function rowsOf(what: string, rounds: readonly ReconnectRound[]): ResultRow[] {
  const caughtUp = (percent: number) => ({
    question: `${what}: until ${percent === 100 ? "all" : `${percent} %`} had caught up`,
    unit: "ms",
    ours: spreadOf(
      rounds.map(({ returned }) => percentile(Float64Array.from(returned.flatMap((one) => [...one.caughtUpMs])).sort(), percent)),
    ),
  });
  const wrong = rounds.map(({ returned }) => returned.reduce((sum, one) => sum + one.missing + one.doubled + one.behind, 0));
  const felt = rounds.map(({ before, meanwhile }): MeasuredPair<Float64Array> => ({
    ours: Float64Array.from(meanwhile.flatMap(({ lastMs }) => [...lastMs])).sort(),
    baseline: before.lastMs,
  }));
  const feltAt = (percent: number) =>
    rowOf(
      {
        question: `${what}: a bystander's send to last receiver, p${percent}, against before`,
        unit: "ms",
        of: (ms) => percentile(ms, percent),
      },
      felt,
    );
  return [
    caughtUp(50),
    caughtUp(100),
    {
      question: `${what}: the server's CPU per client, including the bystanders'`,
      unit: "ms",
      ours: spreadOf(rounds.map(({ cpuMs }) => cpuMs / peopleCount)),
    },
    { question: `${what}: messages missing or duplicated`, unit: "", ours: spreadOf(wrong), target: { atMost: 0 } },
    feltAt(50),
    feltAt(99),
  ];
}

const fill: Fill<Circle[]> = (store, urls) => seedCircles(store, [urls[0]!], [bystanders, returning]);

const setups: Readonly<Record<BenchMode, () => Promise<ReconnectSetup>>> = {
  async embedded() {
    const filled = await filledServer(fill);
    const { content: circles, urls, restart, remove } = filled;
    return { circles, url: urls[0]!, bystandersAt: () => filled.server, pids: () => [filled.server.pid], restart, stop: remove };
  },
  async mesh() {
    const { content: circles, urls, mesh, remove } = await filledMesh(fill);
    const [url, other] = urls;
    return {
      circles,
      url,
      bystandersAt: () => ({ url: other, pid: mesh.node("gatewayB").pid }),
      pids: () => Object.values(pidsOf(mesh)).flat(),
      async restart() {
        await mesh.kill("gatewayA");
        await mesh.start("gatewayA", "gateway");
      },
      stop: remove,
    };
  },
};

export const reconnect: Bench = {
  name: "reconnect",
  title: "2,000 clients come back at once",
  worlds: ["embedded", "mesh"],
  run,
};
