/**
 * Selects the node for each call. A call with a key uses rendezvous hashing: of all nodes that offer the action, it goes to the one with
 * the highest hash of (node, key). When a node joins or leaves, only its own keys move. Moleculer's Shard strategy moves up to half of all
 * keys, and throws when a circuit breaker is open. Calls without a key are distributed round-robin.
 */
import { createHash } from "node:crypto";
import { Strategies, type Context, type Endpoint, type Registry, type ServiceBroker } from "moleculer";

/**
 * A node that was silent for this long may be dead, and is skipped while others are available. Moleculer takes it for dead only after
 * 4 to 8 s. Each node sends a heartbeat at an interval between 0.5 and 1.5 s that it chose at random.
 */
const maxSilenceSeconds = 3.5;

const hashWeight = (nodeId: string, key: string): number =>
  createHash("md5").update(nodeId).update("\0").update(key).digest().readUInt32BE(0);

/** The node for this key; the order of `nodes` does not matter. */
export function pickNode<N extends { readonly id: string }>(nodes: readonly N[], key: string): N {
  let best = nodes[0]!;
  let bestWeight = -1;
  for (const node of nodes) {
    const own = hashWeight(node.id, key);
    if (own > bestWeight || (own === bestWeight && node.id > best.id)) [best, bestWeight] = [node, own];
  }
  return best;
}

/** The endpoint's fields used here. `node.lastHeartbeatTime` is this process's uptime at the heartbeat, rounded to whole seconds. */
type RegistryEndpoint = Pick<Endpoint, "id" | "local"> & { readonly node: Pick<Endpoint["node"], "lastHeartbeatTime"> };

/**
 * The strategy of all nodes for all actions. The option `key` names the param to route by; it is part of an action's description, also of
 * another node's. With `ROUTING=off` these calls are distributed round-robin too.
 */
export class Routing extends Strategies.Base {
  private readonly key: string | undefined;
  private nextIndex = 0;
  constructor(registry: Registry, broker: ServiceBroker, options: { key?: string } = {}) {
    super(registry, broker, options);
    this.key = broker.metadata["routing"] === "off" ? undefined : options.key;
  }
  override select<E extends RegistryEndpoint>(list: E[], ctx?: Context): E {
    const alive = list.filter(hasRecentHeartbeat);
    const nodes = alive.length > 0 ? alive : list;
    const params = ctx?.params as Readonly<Record<string, unknown>> | null | undefined;
    const key = this.key === undefined ? undefined : params?.[this.key];
    return typeof key === "string" ? pickNode(nodes, key) : nodes[this.nextIndex++ % nodes.length]!;
  }
}

const hasRecentHeartbeat = ({ local, node }: RegistryEndpoint): boolean =>
  local || process.uptime() - node.lastHeartbeatTime < maxSilenceSeconds;
