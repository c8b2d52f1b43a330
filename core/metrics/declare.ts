/**
 * Declares metrics: `const refused = counter("parley_limits_refused_total", "Requests refused by a rate limit", ["limit"])`, then
 * `refused.of(broker).inc({ limit })`. Each broker has its own registry, because tests run several brokers in a process. Metrics of the
 * process, and code without a broker, use `of()`. prom-client stores and prints the values. docs/metrics.md is generated from the
 * declarations.
 */
import type { ServiceBroker } from "moleculer";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export interface Declaration<L extends string = string> {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}

type LabelValues<L extends string> = Readonly<Record<L, string>>;
/** A value with its labels. Values with the same labels are summed. */
export type Sample<L extends string> = readonly [labels: LabelValues<L>, value: number];
/** Returns samples at a scrape. If it fails, its samples are omitted. */
type SampleCollector<L extends string> = () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>;

interface DeclaredMetric<L extends string, M> extends Declaration<L> {
  /** The metric of this broker or, without one, of the process. It is created and exported from the first call on. Use one of both only. */
  readonly of: (broker?: ServiceBroker) => M;
}
interface CollectableMetric<L extends string, M> extends DeclaredMetric<L, M> {
  /** Reads the values at each scrape, for values that are cheaper to read than to update on every change. */
  readonly collect: (broker: ServiceBroker, collector: SampleCollector<L>) => void;
}

const declared = new Map<string, Declaration>();
const registries = new WeakMap<ServiceBroker, Registry>();
/** The metrics of this process. */
export const processRegistry = new Registry();

/** Every metric declared so far, by name. */
export const declarations = (): Declaration[] => [...declared.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

/** The metrics of this broker. */
export function registryOf(broker: ServiceBroker): Registry {
  const registry = registries.get(broker) ?? new Registry();
  registries.set(broker, registry);
  return registry;
}

/** @throws TypeError  the name breaks Prometheus' conventions or is already declared */
function declare<L extends string>(declaration: Declaration<L>): Declaration<L> {
  const { type, name, labels } = declaration;
  if (!/^parley_[a-z0-9_]+$/.test(name)) throw new TypeError(`${name}: a metric's name begins with parley_ and is in snake case`);
  if ((type === "counter") !== name.endsWith("_total")) throw new TypeError(`${name}: counters end with _total, and nothing else does`);
  for (const label of labels) if (!/^[a-z][a-z_]*$/.test(label)) throw new TypeError(`${name}: the label ${label} is not in snake case`);
  if (declared.has(name)) throw new TypeError(`${name} is declared already`);
  declared.set(name, declaration);
  return declaration;
}

function declaredAs<L extends string, M extends object>(
  declaration: Declaration<L>,
  make: (registry: Registry) => M,
): DeclaredMetric<L, M> {
  const made = new WeakMap<Registry, M>();
  return {
    ...declare(declaration),
    of(broker) {
      const registry = broker === undefined ? processRegistry : registryOf(broker);
      const metric = made.get(registry) ?? make(registry);
      made.set(registry, metric);
      return metric;
    },
  };
}

function collectable<L extends string, M extends Counter<L> | Gauge<L>>(metric: DeclaredMetric<L, M>): CollectableMetric<L, M> {
  const collectors = new WeakMap<M, SampleCollector<L>[]>();
  return {
    ...metric,
    collect(broker, collector) {
      const own = metric.of(broker);
      const all = collectors.get(own) ?? [];
      collectors.set(own, [...all, collector]);
      if (all.length > 0) return;
      Object.assign(own, {
        async collect() {
          const answers = await Promise.allSettled((collectors.get(own) ?? []).map(async (each) => [...(await each())]));
          own.reset();
          // An unknown value is not zero.
          if (metric.labels.length === 0) own.remove();
          for (const answer of answers) {
            if (answer.status === "fulfilled") for (const [labels, value] of answer.value) own.inc(labels, value);
          }
        },
      });
    },
  };
}

/** @param labels  the labels' names. Their values must be few, and never come from clients. */
export function counter<const L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] = [],
): CollectableMetric<L, Counter<L>> {
  const declaration = { type: "counter", name, help, labels } as const;
  return collectable(declaredAs(declaration, (registry) => new Counter<L>({ name, help, labelNames: labels, registers: [registry] })));
}

/** @param labels  the labels' names. Their values must be few, and never come from clients. */
export function gauge<const L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] = [],
): CollectableMetric<L, Gauge<L>> {
  const declaration = { type: "gauge", name, help, labels } as const;
  return collectable(declaredAs(declaration, (registry) => new Gauge<L>({ name, help, labelNames: labels, registers: [registry] })));
}

/** @param buckets  upper bounds, ascending */
export function histogram<const L extends string = never>(
  name: string,
  help: string,
  { labels = [], buckets }: { labels?: readonly L[]; buckets: readonly number[] },
): DeclaredMetric<L, Histogram<L>> {
  const declaration = { type: "histogram", name, help, labels } as const;
  return declaredAs(
    declaration,
    (registry) => new Histogram<L>({ name, help, labelNames: labels, buckets: [...buckets], registers: [registry] }),
  );
}

/** A series of a histogram whose caller does the counting. */
export interface CountedSeries<L extends string> {
  readonly labels: LabelValues<L>;
  /** Per bucket, not cumulative; the last bucket has no upper bound. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A histogram for observations that would cost too much in prom-client. The caller counts, and returns the counts at each scrape. */
export function countedHistogram<const L extends string>(
  name: string,
  help: string,
  { labels, buckets }: { labels: readonly L[]; buckets: readonly number[] },
): Declaration<L> & { readonly collect: (broker: ServiceBroker, collector: () => Iterable<CountedSeries<L>>) => void } {
  const declaration = declare({ type: "histogram", name, help, labels } as const);
  const valuesOf = ({ labels: own, counts, sum }: CountedSeries<L>) => {
    let below = 0;
    const bounded = counts.map((count, index) => {
      below += count;
      return { metricName: `${name}_bucket`, labels: { ...own, le: buckets[index] ?? "+Inf" }, value: below };
    });
    return [...bounded, { metricName: `${name}_sum`, labels: own, value: sum }, { metricName: `${name}_count`, labels: own, value: below }];
  };
  return {
    ...declaration,
    collect(broker, collector) {
      const metric = {
        name,
        help,
        type: "histogram",
        get: () => Promise.resolve({ ...metric, values: [...collector()].flatMap(valuesOf) }),
      };
      // eslint-disable-next-line no-restricted-syntax -- prom-client prints with these members only; its types want its classes
      registryOf(broker).registerMetric(metric as unknown as Histogram);
    },
  };
}
