/**
 * Measures the cost of a delivery against bare Socket.IO that stores each message durably in SQLite, one commit each, before it
 * acknowledges.
 */
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { percentileOf } from "../servers/crowd.ts";
import { limitOf, pairsOf } from "../measure/measure.ts";
import { atCommonPace, cpuADelivery, withSides } from "../servers/sides.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

const name = "bare Socket.IO that stores";

function run(options: BenchOptions): Promise<ResultRow[]> {
  return withSides({ size: 10, groups: 20, isBareStoring: true }, async (sides) => {
    const { capacity, pairs } = await atCommonPace(sides, name, options);
    const most = (side: "ours" | "bare") => () => sides[side].drive({ concurrency: capacity[side].concurrency }, options.windowMs / 2);
    const saturated = await pairsOf(options.pairs, most("ours"), most("bare"));
    const limits = (["ours", "baseline"] as const).map((side) => {
      const { server, clients } = saturated[0]![side];
      return `${side}: ${limitOf(server, clients)}`;
    });
    return [
      rowOf({ question: "CPU per delivery, all threads", unit: "µs", of: cpuADelivery("allMs"), target: { atMost: 1 } }, pairs),
      rowOf({ question: "CPU per delivery, main thread", unit: "µs", of: cpuADelivery("mainMs") }, pairs),
      rowOf({ question: "send to acknowledgement, p50", unit: "ms", of: percentileOf(50, ({ ackMs }) => ackMs) }, pairs),
      rowOf({ question: "send to acknowledgement, p99", unit: "ms", of: percentileOf(99, ({ ackMs }) => ackMs) }, pairs),
      rowOf({ question: "messages at saturation", unit: "/s", of: ({ perSecond }) => perSecond, limit: limits.join("; ") }, saturated),
      rowOf({ question: "CPU per delivery at saturation, all threads", unit: "µs", of: cpuADelivery("allMs") }, saturated),
    ];
  });
}

export const durable: Bench = {
  name: "durable",
  title: "A delivery, against bare Socket.IO that stores each message durably before its acknowledgement (fan-out 10, 20 chats)",
  worlds: ["embedded"],
  run,
};
