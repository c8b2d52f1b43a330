/**
 * A story: a user's walk through Parley by HTTP and sockets alone, so that the same file runs against the embedded server (one a
 * file) and against the mesh (one for all files, started by `mesh.setup.ts`). Which one is said by the Jest project.
 */
import { afterAll, beforeAll, describe } from "@jest/globals";
import { factory, type Factory } from "../people/factory.ts";
import { startEmbedded } from "../servers/server.ts";
import { sharedLog, sharedMesh, sharedMeshSkipReason } from "../mesh/shared-mesh.ts";

/** What a story knows of the system it walks through. */
export interface StoryWorld extends Factory {
  /** Two ways in; embedded it is the same one twice. */
  gateways(): readonly [string, string];
  /** The processes that must survive whatever a client sends. */
  processes(): readonly { readonly pid: number; readonly statusUrl: string }[];
}

interface SystemUnderTest {
  readonly gateways: readonly [string, string];
  readonly processes: readonly { readonly pid: number; readonly statusUrl: string }[];
}
interface RunningSystem extends SystemUnderTest {
  readonly log: () => string;
  readonly stop: () => Promise<unknown>;
}

declare global {
  /** Set by the Jest project. */
  var parleyWorld: "embedded" | "mesh";
  /** Set by `environment.js`. */
  var aTestFailed: boolean | undefined;
}

/** Declares a story's tests; the system is up before the first and gone after the last. */
export function story(title: string, tell: (world: StoryWorld) => void): void {
  const onMesh = globalThis.parleyWorld === "mesh";
  const whyNot = onMesh ? sharedMeshSkipReason() : undefined;
  if (whyNot !== undefined) {
    describe.skip(`${title} (${whyNot})`, () => tell(worldOf(() => fail(whyNot))));
    return;
  }
  describe(title, () => {
    let running: RunningSystem | undefined;
    const world = worldOf(() => running ?? fail("the system starts before the first test; ask for it inside one"));
    beforeAll(async () => {
      running = onMesh ? onSharedMesh() : await onEmbeddedServer();
    });
    afterAll(async () => {
      world.disconnectAll();
      if (globalThis.aTestFailed === true) process.stderr.write(`\n--- what the servers printed last ---\n${running?.log() ?? ""}\n`);
      await running?.stop();
    });
    tell(world);
  });
}

function worldOf(system: () => SystemUnderTest): StoryWorld {
  return { ...factory(() => system().gateways), gateways: () => system().gateways, processes: () => system().processes };
}

async function onEmbeddedServer(): Promise<RunningSystem> {
  const server = await startEmbedded();
  return { gateways: [server.url, server.url], processes: [server], log: () => server.log().slice(-20_000), stop: server.stop };
}

function onSharedMesh(): RunningSystem {
  const mesh = sharedMesh();
  return { ...mesh, log: () => sharedLog(mesh, 5000), stop: () => Promise.resolve() };
}

function fail(reason: string): never {
  throw new Error(reason);
}
