/** Faults: a process of the mesh is killed or frozen, or all are replaced one after the other. */
import { setTimeout as pause } from "node:timers/promises";
import { usualNodes, type MeshNodeName } from "../../support/mesh/mesh.ts";
import {
  clientsCutOff,
  promises,
  type CutOffSpan,
  type MeshFault,
  type MeshTarget,
  type Storm,
  type StrikeReport,
} from "../target/fault.ts";

const downMs = 4000;
const frozenMs = 20_000;
/** The fault is named after the service: of a service with two nodes, one fails. */
const nameOf = (role: MeshNodeName): string => role.replace(/[AB]$/, "");
const gatewayRoles = ["gatewayA", "gatewayB"] as const;

/** The clients of this node if it is a gateway, else none. */
function cutOffBy(role: MeshNodeName, { gateways }: MeshTarget, storm: Storm, from: number, until: number): CutOffSpan[] {
  const index = gatewayRoles.findIndex((one) => one === role);
  return index === -1 ? [] : clientsCutOff(storm, gateways[index]!, from, until);
}

function killed(role: MeshNodeName, what: string, isQuick = false): MeshFault {
  return {
    name: `kill-${nameOf(role)}`,
    what: `${what} is killed (SIGKILL) and replaced ${downMs / 1000} s later`,
    target: "mesh",
    promiseMs: promises.processMs,
    isQuick,
    async strike(target, storm): Promise<StrikeReport> {
      const from = Date.now();
      await target.mesh.kill(role);
      await pause(downMs);
      await target.mesh.start(role, usualNodes[role]);
      return { from, cut: cutOffBy(role, target, storm, from, Date.now()) };
    },
  };
}

function frozen(role: MeshNodeName, what: string): MeshFault {
  return {
    name: `freeze-${nameOf(role)}`,
    what: `${what} is frozen for ${frozenMs / 1000} s (SIGSTOP)`,
    target: "mesh",
    promiseMs: promises.processMs,
    async strike(target, storm): Promise<StrikeReport> {
      const from = Date.now();
      target.mesh.freeze(role);
      await pause(frozenMs);
      target.mesh.thaw(role);
      await target.mesh.node(role).ready();
      return { from, cut: cutOffBy(role, target, storm, from, Date.now()) };
    },
  };
}

const rolling: MeshFault = {
  name: "rolling-restart",
  what: "every process is stopped (SIGTERM) and replaced, one after the other",
  target: "mesh",
  promiseMs: promises.processMs,
  async strike(target, storm): Promise<StrikeReport> {
    const from = Date.now();
    const cut: CutOffSpan[] = [];
    for (const [role, services] of Object.entries(usualNodes) as [MeshNodeName, string][]) {
      const stopped = Date.now();
      await target.mesh.node(role).stop();
      await target.mesh.start(role, services);
      cut.push(...cutOffBy(role, target, storm, stopped, Date.now()));
    }
    return { from, cut };
  },
};

export const processes: readonly MeshFault[] = [
  killed("gatewayA", "a gateway", true),
  killed("chatA", "a chat node", true),
  killed("auth", "auth"),
  killed("request", "request"),
  killed("profile", "profile"),
  killed("media", "media"),
  frozen("chatA", "a chat node"),
  frozen("gatewayA", "a gateway"),
  rolling,
];
