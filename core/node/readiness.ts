/**
 * Checks whether this node can serve: its ports respond, its clock is close to the store's, its services run, and the other services they
 * need are available. `/ready` lists the parts that fail.
 */
import type { ServiceBroker } from "moleculer";
import type { ActionRef } from "../contract/contract.ts";
import { arePortsOpen, portsOf } from "./ports.ts";
import type { Health } from "../health.ts";

/** Returns the problem, or undefined. */
type ReadinessCheck = () => string | undefined;

const checks = new WeakMap<ServiceBroker, Map<string, ReadinessCheck>>();
const maxClockOffsetMs = 60_000;

/** Adds a part to this node's readiness, such as the gateway's revoked sessions. */
export function addReadinessCheck(broker: ServiceBroker, part: string, check: ReadinessCheck): void {
  const known = checks.get(broker) ?? new Map<string, ReadinessCheck>();
  checks.set(broker, known.set(part, check));
}

/** A check that some node offers the service of each of these actions. Optional services may be absent. */
export function servicesAvailable(broker: ServiceBroker, actions: readonly ActionRef[]): ReadinessCheck {
  const services = new Set(actions.filter(({ isOptional }) => isOptional !== true).map(({ service }) => service));
  return () => {
    const offered = new Set(broker.registry.getServiceList({ onlyAvailable: true }).map(({ name }) => name));
    const away = [...services].filter((service) => !offered.has(service));
    return away.length > 0 ? `away: ${away.join(", ")}` : undefined;
  };
}

export interface Readiness {
  readonly ready: boolean;
  /** Every part with `ok` or its problem. */
  readonly parts: Readonly<Record<string, string>>;
}

export async function readiness(broker: ServiceBroker): Promise<Readiness> {
  if (!arePortsOpen(broker)) return { ready: false, parts: { services: "starting" } };
  const { store, feed, queue, cache, limits, blobs, clock } = portsOf(broker);
  const parts: Record<string, string> = {};
  const note = (part: string, wrong: string | undefined) => (parts[part] = wrong ?? "ok");
  const health = ({ ok, detail }: Health) => (ok ? undefined : (detail ?? "away"));

  note("services", broker.started ? undefined : "starting or draining");
  note("store", health(await store.health()));
  note("queue", health(queue.health()));
  const offset = Math.abs(clock.offsetMs() ?? Infinity);
  note("clock", offset > maxClockOffsetMs ? `${Math.round(offset / 1000)} s off the store's` : undefined);
  for (const [part, check] of checks.get(broker) ?? []) note(part, check());
  const ready = Object.values(parts).every((state) => state === "ok");

  // Without these the node works, but slower: gateways poll for changes, the cache reads the store, limits count in memory.
  note("feed", health(feed.health()));
  note("cache", health(cache.health()));
  note("limits", health(limits.health()));
  // Without this one only files fail; chats work.
  note("media", health(await blobs.health()));
  return { ready, parts };
}
