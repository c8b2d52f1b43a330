/** Measures the cost of a delivery against bare Socket.IO that broadcasts and stores nothing: CPU, latency and event-loop delay. */
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { percentileOf, type ChatWindow } from "../servers/crowd.ts";
import type { MeasuredPair } from "../measure/measure.ts";
import { atCommonPace, cpuADelivery, withSides, type MeasuredWindow } from "../servers/sides.ts";
import { rowOf, type ResultRow, type Target } from "../measure/table.ts";

const sizes: readonly { readonly size: number; readonly groups: number; readonly cpu: Target }[] = [
  { size: 10, groups: 20, cpu: { atMost: 2 } },
  { size: 100, groups: 2, cpu: { atMost: 1.2 } },
];

async function run(options: BenchOptions): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (const { size, groups, cpu } of sizes) {
    const note = (text: string) => options.note(`Fan-out ${size}, ${groups} chats. ${text}`);
    const { pairs } = await withSides({ size, groups, isBareStoring: false }, (sides) =>
      atCommonPace(sides, "bare Socket.IO", { ...options, note }),
    );
    rows.push(...rowsOf(size, cpu, pairs));
  }
  return rows;
}

function rowsOf(size: number, cpu: Target, pairs: readonly MeasuredPair<MeasuredWindow>[]): ResultRow[] {
  const row = (question: string, unit: string, of: (window: MeasuredWindow) => number, target?: Target) =>
    rowOf({ question: `fan-out ${size}: ${question}`, unit, of, ...(target === undefined ? {} : { target }) }, pairs);
  const latencies = [
    ["send to acknowledgement", ({ ackMs }: ChatWindow) => ackMs],
    ["send to last receiver", ({ lastMs }: ChatWindow) => lastMs],
  ] as const;
  return [
    row("CPU per delivery, all threads", "µs", cpuADelivery("allMs"), cpu),
    row("CPU per delivery, main thread", "µs", cpuADelivery("mainMs")),
    ...latencies.flatMap(([what, of]) => [50, 95, 99].map((percent) => row(`${what}, p${percent}`, "ms", percentileOf(percent, of)))),
    row("event-loop delay, p99", "ms", ({ delay }) => delay.p99Ms, { atMost: 2 }),
  ];
}

export const fanOut: Bench = {
  name: "fan-out",
  title: "A delivery, against bare Socket.IO that broadcasts and stores nothing",
  worlds: ["embedded"],
  run,
};
