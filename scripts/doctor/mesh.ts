/** What a mesh rests on. */
import type { Mesh } from "../../core/config.ts";
import { linesOfPart, type Line } from "./check.ts";
import type { Configured } from "./configuration.ts";
import { mongoPart } from "./mongo.ts";
import { rabbitPart } from "./rabbit.ts";
import { redisPart } from "./redis.ts";

export interface Meshed extends Configured {
  readonly mesh: Mesh;
}

export async function linesOfMesh(context: Meshed): Promise<Line[]> {
  const lines = await Promise.all([linesOfPart(mongoPart, context), linesOfPart(rabbitPart, context), linesOfPart(redisPart, context)]);
  return lines.flat();
}
