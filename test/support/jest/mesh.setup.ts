/** Before the stories on the mesh: starts the one mesh that they share, or says why there is none. */
import setUpInfra from "./infra.setup.ts";
import { skipReason } from "../infrastructure/infra.ts";
import { startMesh, type TestMesh } from "../mesh/mesh.ts";
import { shareMesh } from "../mesh/shared-mesh.ts";

declare global {
  /** For `mesh.teardown.ts`, which runs in the same process. */
  var parleySharedMesh: TestMesh | undefined;
}

export default async function setUp(): Promise<void> {
  await setUpInfra();
  const whyNot = skipReason("amqp", "redis", "mongo");
  if (whyNot !== undefined) {
    shareMesh({ skipped: whyNot });
    return;
  }
  const mesh = await startMesh();
  globalThis.parleySharedMesh = mesh;
  const processes = [...mesh.nodes.values()].map(({ role, pid, statusUrl, logFile }) => ({ role, pid, statusUrl, logFile }));
  shareMesh({ env: mesh.env, gateways: mesh.gateways, processes });
}
