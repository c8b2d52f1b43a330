/** A node whose network to RabbitMQ, Redis and mongod is cut for a while; the clients of a gateway stay connected to it. */
import { setTimeout as pause } from "node:timers/promises";
import type { MeshNodeName } from "../../support/mesh/mesh.ts";
import type { CutDirection } from "../../support/fault-injection/network.ts";
import { promises, type MeshFault, type StrikeReport } from "../target/fault.ts";
import { startMeshTarget } from "../target/start.ts";

const cutMs = 20_000;

interface NetworkCut {
  readonly name: string;
  readonly what: string;
  readonly role: MeshNodeName;
  readonly direction: CutDirection;
}

/** @param others  other nodes do its work, so that the promise's clock begins with the cut */
const cutOff = ({ name, what, role, direction }: NetworkCut, others: boolean): MeshFault => ({
  name,
  what: `${what}, for ${cutMs / 1000} s`,
  world: "mesh",
  promiseMs: promises.networkMs,
  start: () => startMeshTarget([role]),
  async strike(world): Promise<StrikeReport> {
    const place = world.places[role]!;
    const cutAt = Date.now();
    place.cut(direction);
    await pause(cutMs);
    await place.heal();
    const healedAt = Date.now();
    await world.mesh.node(role).ready();
    return { from: others ? cutAt : healedAt, cut: [], note: `${name}: by ${place.means}` };
  },
});

const chat = (name: string, what: string, direction: CutDirection) => cutOff({ name, what, role: "chatA", direction }, true);
const gateway = (name: string, what: string, direction: CutDirection) => cutOff({ name, what, role: "gatewayA", direction }, false);

export const network: readonly MeshFault[] = [
  chat("cut-chat", "a chat node's network is cut", "both"),
  chat("cut-chat-in", "a chat node hears nobody, and is heard", "hears nobody"),
  chat("cut-chat-out", "a chat node is heard by nobody, and hears", "heard by nobody"),
  gateway("cut-gateway", "a gateway's network is cut", "both"),
  gateway("cut-gateway-in", "a gateway hears nobody, and is heard", "hears nobody"),
  gateway("cut-gateway-out", "a gateway is heard by nobody, and hears", "heard by nobody"),
];
