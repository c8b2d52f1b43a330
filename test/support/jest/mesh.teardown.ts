/** Jest's globalTeardown of the stories on the mesh: stops what `mesh.setup.ts` started. */
export default async function tearDown(): Promise<void> {
  await globalThis.parleySharedMesh?.stop();
}
