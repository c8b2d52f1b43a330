/**
 * Counts and times of calls, by action: those this node's actions answered and those it made to others. It stands in the place of
 * Moleculer's own middleware, whose labelled quantiles cost more than many of the calls they measure.
 */
import type { Context, Middleware, ServiceBroker } from "moleculer";
import { codeOf } from "../errors.ts";

/** Upper bounds of the histogram, seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** What is counted of one action. */
interface Calls {
  /** By bound; the last are those above all bounds. */
  readonly counts: number[];
  readonly failures: Map<string, number>;
  seconds: number;
  active: number;
}
type Kind = "answered" | "made";
type Handler = (ctx: Context<any, any>) => Promise<unknown>;

const counted = new WeakMap<ServiceBroker, Map<string, Calls>>();

export function callMetrics(): Middleware {
  const all = new Map<string, Calls>();
  const counting = (kind: Kind, next: Handler, action: string): Handler => {
    const labels = `action="${action}",kind="${kind}"`;
    const calls: Calls = all.get(labels) ?? { counts: bounds.map(() => 0).concat(0), failures: new Map(), seconds: 0, active: 0 };
    all.set(labels, calls);
    return async function (this: unknown, ctx) {
      const began = performance.now();
      calls.active++;
      try {
        return await next.call(this, ctx);
      } catch (error) {
        const code = codeOf(error) ?? (error as Error).name;
        calls.failures.set(code, (calls.failures.get(code) ?? 0) + 1);
        throw error;
      } finally {
        calls.active--;
        count(calls, (performance.now() - began) / 1000);
      }
    };
  };
  return {
    name: "CallMetrics",
    created: (broker) => void counted.set(broker, all),
    localAction: (next, action) => counting("answered", next, action.name!),
    remoteAction: (next, action) => counting("made", next, action.name!),
  };
}

function count(calls: Calls, seconds: number): void {
  const place = bounds.findIndex((bound) => seconds <= bound);
  calls.counts[place < 0 ? bounds.length : place]!++;
  calls.seconds += seconds;
}

/** In Prometheus' text format: the histogram `parley_call_seconds`, `parley_calls_failed_total` by code, and `parley_calls_active`. */
export function callMetricsLines(broker: ServiceBroker): string[] {
  const all = [...(counted.get(broker) ?? [])].filter(([, { counts, active }]) => active > 0 || counts.some((value) => value > 0));
  return [
    ...head("parley_call_seconds", "histogram", "Calls by the time they took"),
    ...all.flatMap(([labels, calls]) => histogram(labels, calls)),
    ...head("parley_calls_failed_total", "counter", "Calls that failed, by code"),
    ...all.flatMap(([labels, { failures }]) =>
      [...failures].map(([code, value]) => `parley_calls_failed_total{${labels},code="${code}"} ${value}`),
    ),
    ...head("parley_calls_active", "gauge", "Calls under way"),
    ...all.map(([labels, { active }]) => `parley_calls_active{${labels}} ${active}`),
  ];
}

const head = (name: string, type: string, help: string): string[] => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];

function histogram(labels: string, { counts, seconds }: Calls): string[] {
  let below = 0;
  const buckets = counts.map((value, place) => {
    below += value;
    return `parley_call_seconds_bucket{${labels},le="${bounds[place] ?? "+Inf"}"} ${below}`;
  });
  return [...buckets, `parley_call_seconds_sum{${labels}} ${seconds}`, `parley_call_seconds_count{${labels}} ${below}`];
}
