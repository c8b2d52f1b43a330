/** Processes of the mesh that are killed, frozen, or replaced one after the other. */
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

const deadMs = 4000;
const frozenMs = 20_000;
/** Of what runs twice, one falls. */
const nameOf = (role: MeshNodeName): string => role.replace(/[AB]$/, "");
const gatewayRoles = ["gatewayA", "gatewayB"] as const;

/** Those whose gateway this is, and nobody where it is none. */
function cutBy(role: MeshNodeName, { gateways }: MeshTarget, storm: Storm, from: number, until: number): CutOffSpan[] {
  const index = gatewayRoles.findIndex((one) => one === role);
  return index === -1 ? [] : clientsCutOff(storm, gateways[index]!, from, until);
}

function killed(role: MeshNodeName, what: string, isQuick = false): MeshFault {
  return {
    name: `kill-${nameOf(role)}`,
    what: `${what} is killed (SIGKILL), another started ${deadMs / 1000} s later`,
    world: "mesh",
    promiseMs: promises.processMs,
    isQuick,
    async strike(world, storm): Promise<StrikeReport> {
      const from = Date.now();
      await world.mesh.kill(role);
      await pause(deadMs);
      await world.mesh.start(role, usualNodes[role]);
      return { from, cut: cutBy(role, world, storm, from, Date.now()) };
    },
  };
}

function frozen(role: MeshNodeName, what: string): MeshFault {
  return {
    name: `freeze-${nameOf(role)}`,
    what: `${what} is frozen for ${frozenMs / 1000} s (SIGSTOP)`,
    world: "mesh",
    promiseMs: promises.processMs,
    async strike(world, storm): Promise<StrikeReport> {
      const from = Date.now();
      world.mesh.freeze(role);
      await pause(frozenMs);
      world.mesh.thaw(role);
      await world.mesh.node(role).ready();
      return { from, cut: cutBy(role, world, storm, from, Date.now()) };
    },
  };
}

const rolling: MeshFault = {
  name: "rolling-restart",
  what: "every process is stopped (SIGTERM) and replaced, one after the other",
  world: "mesh",
  promiseMs: promises.processMs,
  async strike(world, storm): Promise<StrikeReport> {
    const from = Date.now();
    const cut: CutOffSpan[] = [];
    for (const [role, services] of Object.entries(usualNodes) as [MeshNodeName, string][]) {
      const stopped = Date.now();
      await world.mesh.node(role).stop();
      await world.mesh.start(role, services);
      cut.push(...cutBy(role, world, storm, stopped, Date.now()));
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
