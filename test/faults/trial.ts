/** Runs faults one after the other, each in its own storm. Consecutive faults share a mesh until one of them fails. */
import { setTimeout as pause } from "node:timers/promises";
import type { Fault, FaultEntry, MeshFault, MeshTarget, ReachableTarget, FaultTarget, Storm, StrikeReport } from "./target/fault.ts";
import { afterMs, startStorm, type StormSize } from "./load/storm.ts";
import { passes, type FaultOutcome } from "./report.ts";
import { assess } from "./verdict.ts";
import { startEmbeddedTarget, startMeshTarget } from "./target/start.ts";

export class FaultTrial {
  private readonly size: StormSize;
  private mesh: MeshTarget | undefined;

  constructor(size: StormSize) {
    this.size = size;
  }

  async run(fault: Fault): Promise<FaultOutcome> {
    if (fault.target === "mesh" && fault.start === undefined) return this.onSharedMesh(fault);
    await this.end();
    if (fault.target === "mesh") return this.onOwnTarget(await fault.start!(), fault, (target, storm) => fault.strike(target, storm));
    const target = fault.start === undefined ? await startEmbeddedTarget() : await fault.start();
    return this.onOwnTarget(target, fault, (target, storm) => fault.strike(target, storm));
  }

  private async onSharedMesh(fault: MeshFault): Promise<FaultOutcome> {
    const target = (this.mesh ??= await startMeshTarget());
    let isHealthy = false;
    try {
      const outcome = await runFault(target, fault, this.size, (storm) => fault.strike(target, storm));
      isHealthy = passes(outcome);
      return outcome;
    } finally {
      if (!isHealthy) await this.end();
    }
  }

  private async onOwnTarget<W extends FaultTarget>(
    target: W,
    fault: Fault,
    strike: (target: W, storm: Storm) => Promise<StrikeReport>,
  ): Promise<FaultOutcome> {
    try {
      return await runFault(target, fault, this.size, (storm) => strike(target, storm));
    } finally {
      await target.stop();
    }
  }

  /** Stops the shared mesh if one is running. */
  async end(): Promise<void> {
    const { mesh } = this;
    this.mesh = undefined;
    await mesh?.stop();
  }
}

/** Causes one fault in its own storm, and assesses the outcome. */
export async function runFault(
  target: ReachableTarget,
  fault: FaultEntry,
  size: StormSize,
  inject: (storm: Storm) => Promise<StrikeReport>,
): Promise<FaultOutcome> {
  const storm = await startStorm(target, fault, size);
  try {
    const strike = await inject(storm);
    await pause(afterMs);
    const endedAt = await storm.end();
    return { fault, strike, verdict: await assess(target, storm, strike, endedAt) };
  } finally {
    await storm.close();
  }
}
