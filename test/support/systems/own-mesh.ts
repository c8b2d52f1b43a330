/** A mesh of a test file's own, with people on its gateways: started before the file's tests, stopped after them. */
import { afterAll, beforeAll } from "@jest/globals";
import { factory, type Factory } from "../people/factory.ts";
import { startMesh, type TestMesh, type MeshOptions } from "../mesh/mesh.ts";

export interface OwnMesh {
  /** There once the tests run. */
  readonly mesh: TestMesh;
  readonly made: Factory;
}

/**
 * Call it where the tests are declared.
 * @param options  or what makes them when the mesh is started
 */
export function ownMesh(options: MeshOptions | (() => Promise<MeshOptions>) = {}): OwnMesh {
  let mesh: TestMesh | undefined;
  const started = (): TestMesh => {
    if (mesh === undefined) throw new Error("The mesh is not there before the tests run");
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
