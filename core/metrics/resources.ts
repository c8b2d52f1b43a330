/** Measures how much of each bounded resource of this process is used, and how often it was full. */
import { counter, gauge } from "./declare.ts";

const used = gauge("parley_resource_used", "Used part of a bounded resource, including what waits for it", ["resource"]);
const limit = gauge("parley_resource_limit", "Capacity of a bounded resource", ["resource"]);
const refused = counter(
  "parley_resource_refused_total",
  "How often a bounded resource was full and something was refused, dropped or cut",
  ["resource"],
);

export interface BoundedResource {
  readonly enter: () => void;
  readonly leave: () => void;
  /** Counts that the resource was full. */
  readonly countRefusal: () => void;
}

/** @param max  the capacity in this process; resources of the same name sum their use */
export function resource(name: string, max: number): BoundedResource {
  const labels = { resource: name };
  const { countRefusal } = refusalCounter(name);
  limit.of().set(labels, max);
  used.of().inc(labels, 0);
  return { enter: () => used.of().inc(labels), leave: () => used.of().dec(labels), countRefusal };
}

/** Counts refusals only: for a bound that many objects each have, such as a chat's queue. Their total use would mean nothing. */
export function refusalCounter(name: string): Pick<BoundedResource, "countRefusal"> {
  const labels = { resource: name };
  refused.of().inc(labels, 0);
  return { countRefusal: () => refused.of().inc(labels) };
}
