/** Faults tried one after the other: each in a storm of its own, a mesh shared by those that follow each other as long as it holds. */
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, FaultRow, MeshFault, MeshWorld, ReachableWorld, World, Storm, Strike } from "./fault.ts";
import { afterMs, startStorm, type Size } from "./storm.ts";
import { holds, type Outcome } from "./table.ts";
import { judge } from "./verdict.ts";
import { startEmbeddedWorld, startMeshWorld } from "./world.ts";

export class Trial {
  private readonly size: Size;
  private mesh: MeshWorld | undefined;

  constructor(size: Size) {
    this.size = size;
  }

  async run(fault: Fault): Promise<Outcome> {
    if (fault.world === "mesh" && fault.start === undefined) return this.inSharedMesh(fault);
    await this.end();
    if (fault.world === "mesh") return this.inOwn(await fault.start!(), fault, (world, storm) => fault.strike(world, storm));
    const world = fault.start === undefined ? await startEmbeddedWorld() : await fault.start();
    return this.inOwn(world, fault, (world, storm) => fault.strike(world, storm));
  }

  private async inSharedMesh(fault: MeshFault): Promise<Outcome> {
    const world = (this.mesh ??= await startMeshWorld());
    let isWhole = false;
    try {
      const outcome = await struck(world, fault, this.size, (storm) => fault.strike(world, storm));
      isWhole = holds(outcome);
      return outcome;
    } finally {
      if (!isWhole) await this.end();
    }
  }

  private async inOwn<W extends World>(world: W, fault: Fault, strike: (world: W, storm: Storm) => Promise<Strike>): Promise<Outcome> {
    try {
      return await struck(world, fault, this.size, (storm) => strike(world, storm));
    } finally {
      await world.stop();
    }
  }

  /** Stops the mesh, if there is one. */
  async end(): Promise<void> {
    const { mesh } = this;
    this.mesh = undefined;
    await mesh?.stop();
  }
}

/** Lets a fault strike in a storm of its own, and judges what is left of it. */
export async function struck(
  world: ReachableWorld,
  fault: FaultRow,
  size: Size,
  strikes: (storm: Storm) => Promise<Strike>,
): Promise<Outcome> {
  const storm = await startStorm(world, fault, size);
  try {
    const strike = await strikes(storm);
    await pause(afterMs);
    const endedAt = await storm.end();
    return { fault, strike, verdict: await judge(world, storm, strike, endedAt) };
  } finally {
    await storm.close();
  }
}
