/**
 * Counts and times calls by action: calls to this node's actions and its calls to other nodes. It replaces Moleculer's middleware, whose
 * labelled quantiles cost more than many of the calls they measure. It counts in plain numbers: an observation in prom-client costs five
 * times as much, and a cached read would notice two or three of them.
 */
import type { Context, Middleware } from "moleculer";
import { codeOf, statusOf } from "../errors.ts";
import { counter, countedHistogram, gauge } from "../metrics/declare.ts";
import { refusalCounter } from "../metrics/resources.ts";

/** Upper bounds of the histogram, seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const labels = ["action", "kind"] as const;

const callSeconds = countedHistogram("parley_call_seconds", "Duration of action calls, including refused ones", {
  labels,
  buckets: bounds,
});
const callsFailed = counter(
  "parley_calls_failed_total",
  "Failed calls, by the error's code; fault is client for refusals and server for errors that should not happen",
  [...labels, "code", "fault"],
);
const bulkhead = refusalCounter("bulkhead");
const callsActive = gauge("parley_calls_active", "Calls in progress", labels);

/** The counts of one action. */
interface Calls {
  readonly labels: Readonly<Record<(typeof labels)[number], string>>;
  /** Per bucket, not cumulative; the last bucket has no upper bound. */
  readonly counts: number[];
  readonly failures: Map<string, number>;
  seconds: number;
  active: number;
}
/** `answered`: calls to this node's actions; `made`: calls to other nodes. */
type CallKind = "answered" | "made";
type MeasuredHandler = (ctx: Context) => Promise<unknown>;

export function callMetrics(): Middleware {
  const all = new Map<string, Calls>();
  const measured = (kind: CallKind, next: MeasuredHandler, action: string): MeasuredHandler => {
    const key = `${kind} ${action}`;
    const calls: Calls = all.get(key) ?? {
      labels: { action, kind },
      counts: bounds.map(() => 0).concat(0),
      failures: new Map(),
      seconds: 0,
      active: 0,
    };
    all.set(key, calls);
    return async function (this: unknown, ctx) {
      const startedAt = performance.now();
      calls.active++;
      try {
        return await next.call(this, ctx);
      } catch (error) {
        const code = codeOf(error) ?? (error as Error).name;
        if (code === "QueueIsFullError") bulkhead.countRefusal();
        calls.failures.set(code, (calls.failures.get(code) ?? 0) + 1);
        throw error;
      } finally {
        calls.active--;
        count(calls, (performance.now() - startedAt) / 1000);
      }
    };
  };
  const called = () => [...all.values()].filter(({ counts, active }) => active > 0 || counts.some((value) => value > 0));
  return {
    name: "CallMetrics",
    created(broker) {
      callSeconds.collect(broker, () => called().map(({ labels: own, counts, seconds }) => ({ labels: own, counts, sum: seconds })));
      callsFailed.collect(broker, () =>
        called().flatMap((calls) =>
          [...calls.failures].map(([code, value]) => [{ ...calls.labels, code, fault: faultOf(code) }, value] as const),
        ),
      );
      callsActive.collect(broker, () => called().map(({ labels: own, active }) => [own, active] as const));
    },
    localAction: (next, action) => measured("answered", next, action.name!),
    remoteAction: (next, action) => measured("made", next, action.name!),
  };
}

/** Domain errors below 500 are refusals, caused by the caller. All other errors are the server's fault. */
const faultOf = (code: string): "client" | "server" => (((statusOf as Record<string, number>)[code] ?? 500) < 500 ? "client" : "server");

function count(calls: Calls, seconds: number): void {
  const bucket = bounds.findIndex((bound) => seconds <= bound);
  calls.counts[bucket < 0 ? bounds.length : bucket]!++;
  calls.seconds += seconds;
}
