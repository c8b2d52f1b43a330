/** What a mesh rests on. */
import { linesOfPart, type Line } from "./check.ts";
import type { Meshed } from "./configuration.ts";
import { mongoPart } from "./mongo.ts";
import { rabbitPart } from "./rabbit.ts";
import { redisPart } from "./redis.ts";

export async function linesOfMesh(context: Meshed): Promise<Line[]> {
  const lines = await Promise.all([linesOfPart(mongoPart, context), linesOfPart(rabbitPart, context), linesOfPart(redisPart, context)]);
  return lines.flat();
}
