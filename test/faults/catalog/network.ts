/** Faults: a node's network to RabbitMQ, Redis and mongod is cut for a while. A gateway's clients stay connected to it. */
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

/** @param isReplaceable  other nodes can do its work, so the promised time is counted from the cut, not from its end */
const cutOff = ({ name, what, role, direction }: NetworkCut, isReplaceable: boolean): MeshFault => ({
  name,
  what: `${what} for ${cutMs / 1000} s`,
  target: "mesh",
  promiseMs: promises.networkMs,
  start: () => startMeshTarget([role]),
  async strike(target): Promise<StrikeReport> {
    const location = target.locations[role]!;
    const cutAt = Date.now();
    location.cut(direction);
    await pause(cutMs);
    await location.heal();
    const healedAt = Date.now();
    await target.mesh.node(role).ready();
    return { from: isReplaceable ? cutAt : healedAt, cut: [], note: `${name}: the network is cut by ${location.means}` };
  },
});

const chat = (name: string, what: string, direction: CutDirection) => cutOff({ name, what, role: "chatA", direction }, true);
const gateway = (name: string, what: string, direction: CutDirection) => cutOff({ name, what, role: "gatewayA", direction }, false);

export const network: readonly MeshFault[] = [
  chat("cut-chat", "a chat node's network is cut", "both"),
  chat("cut-chat-in", "a chat node can send but not receive", "incoming"),
  chat("cut-chat-out", "a chat node can receive but not send", "outgoing"),
  gateway("cut-gateway", "a gateway's network is cut", "both"),
  gateway("cut-gateway-in", "a gateway can send but not receive", "incoming"),
  gateway("cut-gateway-out", "a gateway can receive but not send", "outgoing"),
];
