/** Starts a mesh for one test file, makes people on its gateways, and stops it after the file's tests. */
import { afterAll, beforeAll } from "@jest/globals";
import { factory, type Factory } from "../people/factory.ts";
import { startMesh, type TestMesh, type MeshOptions } from "../mesh/mesh.ts";

export interface OwnMesh {
  /** Throws before the tests run. */
  readonly mesh: TestMesh;
  readonly made: Factory;
}

/**
 * Call it where the tests are declared.
 * @param options  of the mesh, or a function that makes them before the mesh starts
 */
export function ownMesh(options: MeshOptions | (() => Promise<MeshOptions>) = {}): OwnMesh {
  let mesh: TestMesh | undefined;
  const started = (): TestMesh => {
    if (mesh === undefined) throw new Error("the mesh starts before the first test: use it inside one");
    return mesh;
  };
  const made = factory(() => started().gateways);
  beforeAll(async () => {
    mesh = await startMesh(typeof options === "function" ? await options() : options);
  });
  afterAll(async () => {
    made.disconnectAll();
    await mesh?.stop();
  });
  return {
    get mesh() {
      return started();
    },
    made,
  };
}
