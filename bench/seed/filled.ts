/** Starts Parley, embedded or as a mesh, on a store with seeded data. */
import { rm } from "node:fs/promises";
import { readConfig } from "../../core/config/config.ts";
import type { Store } from "../../core/store/store.ts";
import setUpInfra, { tearDownInfra } from "../../test/support/jest/infra.setup.ts";
import { skipReason } from "../../test/support/infrastructure/infra.ts";
import { startMesh, type TestMesh, type MeshNodeName } from "../../test/support/mesh/mesh.ts";
import { freePort, temporaryFolder } from "../../test/support/servers/server.ts";
import { openStoreAt, type TestStore } from "../../test/support/store/stores.ts";
import type { BenchMode } from "../measure/bench.ts";
import { secret, startOurs, type Served } from "../servers/servers.ts";

/** Seeds a store. @param urls  addresses of the users' servers, assigned in rotation */
export type Fill<T> = (store: Store, urls: readonly string[]) => Promise<T>;
type StoreLocation = TestStore["location"];

export interface Filled<T> {
  readonly urls: readonly string[];
  /** The result of `fill`. */
  readonly content: T;
  /** Opens the store again. An embedded store only after `stopServer`, since one process locks it. */
  readonly openStore: () => Promise<Store>;
  readonly location: StoreLocation;
  readonly stopServer: () => Promise<unknown>;
  /** Stops the processes and removes the data. */
  readonly remove: () => Promise<unknown>;
}

export const fillAndStart = async <T>(world: BenchMode, fill: Fill<T>): Promise<Filled<T>> =>
  world === "embedded" ? filledServer(fill) : filledMesh(fill);

/** Creates a seeded data folder without a server. */
export async function filledFolder<T>(fill: Fill<T>): Promise<{ dataDir: string; port: number; content: T }> {
  const [dataDir, port] = [await temporaryFolder(), await freePort()];
  const content = await filled(["sqlite", dataDir, ""], fill, [`http://127.0.0.1:${port}`]);
  return { dataDir, port, content };
}

export interface FilledServer<T> extends Filled<T> {
  readonly server: Served;
  /** Restarts the server on the same folder and port. */
  readonly restart: () => Promise<void>;
}

export async function filledServer<T>(fill: Fill<T>): Promise<FilledServer<T>> {
  const { dataDir, port, content } = await filledFolder(fill);
  const location = ["sqlite", dataDir, ""] as const;
  let server = await startOurs({ dataDir, port });
  let isRunning = true;
  const stopServer = async () => {
    if (isRunning) await server.stop();
    isRunning = false;
  };
  return {
    urls: [server.url],
    content,
    location,
    openStore: () => openStoreAt(location),
    get server() {
      return server;
    },
    async restart() {
      await stopServer();
      server = await startOurs({ dataDir, port });
      isRunning = true;
    },
    stopServer,
    async remove() {
      await stopServer();
      await rm(dataDir, { recursive: true });
    },
  };
}

export interface FilledMesh<T> extends Filled<T> {
  readonly urls: readonly [string, string];
  readonly mesh: TestMesh;
}

/** Number of running meshes. When the last one stops, it also stops the infrastructure. */
let meshes = 0;

/** @param without  default nodes to leave out */
export async function filledMesh<T>(fill: Fill<T>, without: readonly MeshNodeName[] = []): Promise<FilledMesh<T>> {
  await setUpInfra();
  const whyNot = skipReason("amqp", "redis", "mongo");
  if (whyNot !== undefined) throw new Error(whyNot);
  const mesh = await startMesh({ env: { JWT_SECRET: secret, CONTACTS: "open" }, without });
  meshes++;
  const location = ["mongo", readConfig(mesh.env).mesh!.mongoUri, mesh.env["MESH"]!] as const;
  const stopServer = () => Promise.all([...mesh.nodes.values()].map((node) => node.stop()));
  return {
    urls: mesh.gateways,
    content: await filled(location, fill, mesh.gateways),
    location,
    openStore: () => openStoreAt(location),
    mesh,
    stopServer,
    async remove() {
      await mesh.stop();
      if (--meshes === 0) await tearDownInfra();
    },
  };
}

async function filled<T>(location: StoreLocation, fill: Fill<T>, urls: readonly string[]): Promise<T> {
  const store = await openStoreAt(location);
  try {
    return await fill(store, urls);
  } finally {
    await store.close();
  }
}
