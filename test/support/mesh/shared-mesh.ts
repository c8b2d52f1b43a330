/** Passes the mesh that all stories share from `mesh.setup.ts`, which may run in another process, to the tests through the environment. */
import { readFileSync } from "node:fs";
import type { ServerEnv } from "../servers/server.ts";

const variable = "PARLEY_SHARED_MESH";

export interface SharedMesh {
  readonly env: ServerEnv;
  readonly gateways: readonly [string, string];
  readonly processes: readonly { readonly role: string; readonly pid: number; readonly statusUrl: string; readonly logFile: string }[];
}
/** The mesh, or the reason why there is none. */
type SharedMeshResult = SharedMesh | { readonly skipped: string };

export const shareMesh = (outcome: SharedMeshResult): void => void (process.env[variable] = JSON.stringify(outcome));

function outcome(): SharedMeshResult {
  const text = process.env[variable];
  return text === undefined ? { skipped: "no mesh was started" } : (JSON.parse(text) as SharedMeshResult);
}

/** Returns why the stories can't run on a mesh here, or undefined when they can. */
export function sharedMeshSkipReason(): string | undefined {
  const found = outcome();
  return "skipped" in found ? found.skipped : undefined;
}

export function sharedMesh(): SharedMesh {
  const found = outcome();
  if ("skipped" in found) throw new Error(found.skipped);
  return found;
}

/** Returns the last output of each node. */
export const sharedLog = ({ processes }: SharedMesh, charactersEach: number): string =>
  processes.map(({ role, logFile }) => `[${role}]\n${readFileSync(logFile, "utf8").slice(-charactersEach)}`).join("\n");
