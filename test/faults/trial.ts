/** Faults tried one after the other: each in a storm of its own, a mesh shared by those that follow each other as long as it holds. */
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, FaultEntry, MeshFault, MeshTarget, ReachableTarget, FaultTarget, Storm, StrikeReport } from "./target/fault.ts";
import { afterMs, startStorm, type StormSize } from "./load/storm.ts";
import { holds, type FaultOutcome } from "./report.ts";
import { assess } from "./verdict.ts";
import { startEmbeddedTarget, startMeshTarget } from "./target/start.ts";

export class FaultTrial {
  private readonly size: StormSize;
  private mesh: MeshTarget | undefined;

  constructor(size: StormSize) {
    this.size = size;
  }

  async run(fault: Fault): Promise<FaultOutcome> {
    if (fault.world === "mesh" && fault.start === undefined) return this.inSharedMesh(fault);
    await this.end();
    if (fault.world === "mesh") return this.inOwn(await fault.start!(), fault, (world, storm) => fault.strike(world, storm));
    const world = fault.start === undefined ? await startEmbeddedTarget() : await fault.start();
    return this.inOwn(world, fault, (world, storm) => fault.strike(world, storm));
  }

  private async inSharedMesh(fault: MeshFault): Promise<FaultOutcome> {
    const world = (this.mesh ??= await startMeshTarget());
    let isWhole = false;
    try {
      const outcome = await runFault(world, fault, this.size, (storm) => fault.strike(world, storm));
      isWhole = holds(outcome);
      return outcome;
    } finally {
      if (!isWhole) await this.end();
    }
  }

  private async inOwn<W extends FaultTarget>(
    world: W,
    fault: Fault,
    strike: (world: W, storm: Storm) => Promise<StrikeReport>,
  ): Promise<FaultOutcome> {
    try {
      return await runFault(world, fault, this.size, (storm) => strike(world, storm));
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
export async function runFault(
  world: ReachableTarget,
  fault: FaultEntry,
  size: StormSize,
  inject: (storm: Storm) => Promise<StrikeReport>,
): Promise<FaultOutcome> {
  const storm = await startStorm(world, fault, size);
  try {
    const strike = await inject(storm);
    await pause(afterMs);
    const endedAt = await storm.end();
    return { fault, strike, verdict: await assess(world, storm, strike, endedAt) };
  } finally {
    await storm.close();
  }
}
