/** Checks the stores that a mesh needs. */
import { linesOfConnection, type ReportLine } from "../check.ts";
import type { Meshed } from "../configuration.ts";
import { mongoPart } from "./mongo.ts";
import { rabbitPart } from "./rabbit.ts";
import { redisPart } from "./redis.ts";

export async function linesOfMesh(context: Meshed): Promise<ReportLine[]> {
  const lines = await Promise.all([
    linesOfConnection(mongoPart, context),
    linesOfConnection(rabbitPart, context),
    linesOfConnection(redisPart, context),
  ]);
  return lines.flat();
}
