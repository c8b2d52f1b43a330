/**
 * Rendezvous hashing: of all nodes that offer an action, the one with the highest hash of (node, key). When a node comes or
 * goes, only its own keys move. Moleculer's Shard strategy moves up to half of them, and throws when a breaker is open.
 */
import { createHash } from "node:crypto";
import { Strategies, type Context, type ServiceBroker } from "moleculer";

interface Endpoint {
  readonly id: string;
}

const weight = (nodeId: string, key: string): number => createHash("md5").update(nodeId).update("\0").update(key).digest().readUInt32BE(0);

/** The node for this key; any order of `nodes` gives the same one. */
export function pick<N extends Endpoint>(nodes: readonly N[], key: string): N {
  let best = nodes[0]!;
  let bestWeight = -1;
  for (const node of nodes) {
    const own = weight(node.id, key);
    if (own > bestWeight || (own === bestWeight && node.id > best.id)) [best, bestWeight] = [node, own];
  }
  return best;
}

/** A Moleculer strategy; its option `key` names the param to route by. `ROUTING=off` leaves the choice to chance. */
export class rendezvous extends Strategies.Base {
  private readonly key: string;
  private readonly off: boolean;
  constructor(registry: any, broker: ServiceBroker, options: { key: string }) {
    super(registry, broker, options);
    this.key = options.key;
    this.off = broker.metadata["routing"] === "off";
  }
  override select(list: any[], ctx?: Context<any>): any {
    const key: unknown = ctx?.params?.[this.key];
    if (this.off || typeof key !== "string") return list[Math.floor(Math.random() * list.length)];
    return pick(list as Endpoint[], key);
  }
}
