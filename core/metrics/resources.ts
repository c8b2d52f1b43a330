/** Everything in this process that is bounded says how far it is used, and how often it was full. */
import { counter, gauge } from "./declare.ts";

const used = gauge("parley_resource_used", "How much of a bounded resource is taken, waiting for it included", ["resource"]);
const limit = gauge("parley_resource_limit", "How much of a bounded resource there is", ["resource"]);
const refused = counter(
  "parley_resource_refused_total",
  "How often a bounded resource was full: what came then was refused, dropped or cut",
  ["resource"],
);

export interface BoundedResource {
  readonly enter: () => void;
  readonly leave: () => void;
  /** It was full. */
  readonly countRefusal: () => void;
}

/** @param max  all there is of it in this process; several of one name add up their use */
export function resource(name: string, max: number): BoundedResource {
  const labels = { resource: name };
  const { countRefusal } = refusalCounter(name);
  limit.of().set(labels, max);
  used.of().inc(labels, 0);
  return { enter: () => used.of().inc(labels), leave: () => used.of().dec(labels), countRefusal };
}

/** A bound that many things have, each for itself, like the queue of a chat: what they hold together says nothing. */
export function refusalCounter(name: string): Pick<BoundedResource, "countRefusal"> {
  const labels = { resource: name };
  refused.of().inc(labels, 0);
  return { countRefusal: () => refused.of().inc(labels) };
}
