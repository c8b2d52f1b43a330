/**
 * Declares stories: tests that use Parley over HTTP and sockets alone. So the same file runs on an embedded server (each file starts
 * one) and on a mesh (`mesh.setup.ts` starts one for all files). The Jest project decides which.
 */
import { afterAll, beforeAll, describe } from "@jest/globals";
import { factory, type Factory } from "../people/factory.ts";
import { startEmbedded } from "../servers/server.ts";
import { sharedLog, sharedMesh, sharedMeshSkipReason } from "../mesh/shared-mesh.ts";

/** The system that a story runs on, and the people in it. */
export interface StoryWorld extends Factory {
  /** The URLs of two gateways, or twice the URL of the embedded server. */
  gateways(): readonly [string, string];
  /** The server processes, which no client's input may crash. */
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

/** Declares a story's tests. The system starts before the first test and stops after the last. */
export function story(title: string, tests: (world: StoryWorld) => void): void {
  const onMesh = globalThis.parleyWorld === "mesh";
  const skipReason = onMesh ? sharedMeshSkipReason() : undefined;
  if (skipReason !== undefined) {
    describe.skip(`${title} (${skipReason})`, () => tests(worldOf(() => fail(skipReason))));
    return;
  }
  describe(title, () => {
    let running: RunningSystem | undefined;
    const world = worldOf(() => running ?? fail("the system starts before the first test: use it inside one"));
    beforeAll(async () => {
      running = onMesh ? onSharedMesh() : await onEmbeddedServer();
    });
    afterAll(async () => {
      world.disconnectAll();
      if (globalThis.aTestFailed === true) process.stderr.write(`\n--- last output of the servers ---\n${running?.log() ?? ""}\n`);
      await running?.stop();
    });
    tests(world);
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
