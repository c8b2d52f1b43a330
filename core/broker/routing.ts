/**
 * Which node a call goes to. One that names a key goes by rendezvous hashing: of all nodes that offer an action, the one with the
 * highest hash of (node, key). When a node comes or goes, only its own keys move. Moleculer's Shard strategy moves up to half of them,
 * and throws when a breaker is open. Other calls go to the nodes by turns.
 */
import { createHash } from "node:crypto";
import { Strategies, type Context, type Endpoint, type Registry, type ServiceBroker } from "moleculer";

/**
 * A node that was silent for so long is passed over as long as others are there: it may be dead, and is taken for that only after
 * 4 to 8 s. A heartbeat comes every 0.5 to 1.5 s, as each node drew it.
 */
const maxSilenceSeconds = 3.5;

const hashWeight = (nodeId: string, key: string): number =>
  createHash("md5").update(nodeId).update("\0").update(key).digest().readUInt32BE(0);

/** The node for this key; any order of `nodes` gives the same one. */
export function pickNode<N extends { readonly id: string }>(nodes: readonly N[], key: string): N {
  let best = nodes[0]!;
  let bestWeight = -1;
  for (const node of nodes) {
    const own = hashWeight(node.id, key);
    if (own > bestWeight || (own === bestWeight && node.id > best.id)) [best, bestWeight] = [node, own];
  }
  return best;
}

/** What is looked at of an endpoint. Its `node.lastHeartbeatTime` is this process' uptime, in whole seconds, rounded. */
type RegistryEndpoint = Pick<Endpoint, "id" | "local"> & { readonly node: Pick<Endpoint["node"], "lastHeartbeatTime"> };

/**
 * Moleculer's strategy of every node, for all actions. The option `key`, which comes with an action's description from other nodes too,
 * names the param to route by. `ROUTING=off` leaves these to turns.
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
