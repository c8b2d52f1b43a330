/** Jest's globalSetup of the stories on the mesh: starts the mesh that they share, or records why there is none. */
import setUpInfra from "./infra.setup.ts";
import { skipReason } from "../infrastructure/infra.ts";
import { startMesh, type TestMesh } from "../mesh/mesh.ts";
import { shareMesh } from "../mesh/shared-mesh.ts";

declare global {
  /** Read by `mesh.teardown.ts`, which runs in the same process. */
  var parleySharedMesh: TestMesh | undefined;
}

export default async function setUp(): Promise<void> {
  await setUpInfra();
  const reason = skipReason("amqp", "redis", "mongo");
  if (reason !== undefined) {
    shareMesh({ skipped: reason });
    return;
  }
  const mesh = await startMesh();
  globalThis.parleySharedMesh = mesh;
  const processes = [...mesh.nodes.values()].map(({ role, pid, statusUrl, logFile }) => ({ role, pid, statusUrl, logFile }));
  shareMesh({ env: mesh.env, gateways: mesh.gateways, processes });
}
