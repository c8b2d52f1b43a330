/** A mesh of real processes for tests: two gateways, two chat nodes, and one node for each of the rest, on the infrastructure's URLs. */
import { randomBytes } from "node:crypto";
import { freeze } from "../fault-injection/freeze.ts";
import { cleanUpMesh } from "./cleanup.ts";
import { amqpUrl, mongoUri, redisUrl } from "../infrastructure/infra.ts";
import { freePort, startNode, type ServerEnv, type NodeProcess, type NodeLocation } from "../servers/server.ts";

/** Which services run on which node; eight processes. */
export const usualNodes = {
  gatewayA: "gateway",
  gatewayB: "gateway",
  chatA: "chat",
  chatB: "chat",
  auth: "auth",
  profile: "profile",
  request: "request,admin",
  media: "media",
} as const satisfies Readonly<Record<string, string>>;
export type MeshNodeName = keyof typeof usualNodes;

export interface TestMesh {
  /** What all nodes share; a process with it joins the mesh. */
  readonly env: ServerEnv;
  readonly gateways: readonly [string, string];
  readonly nodes: ReadonlyMap<string, NodeProcess>;
  node(role: string): NodeProcess;
  /** Starts a node, also one in the place of another that ended, and waits until it is ready. */
  start(role: string, services: string, env?: ServerEnv): Promise<NodeProcess>;
  /** SIGKILL, and waits for the end. */
  kill(role: string): Promise<void>;
  freeze(role: string): void;
  thaw(role: string): void;
  /** Stops every node and removes what the mesh made in RabbitMQ, Redis and MongoDB. */
  stop(): Promise<void>;
}

export interface MeshOptions {
  /** For every node. */
  readonly env?: ServerEnv;
  /** For single nodes, besides. */
  readonly nodeEnv?: Readonly<Record<string, ServerEnv>>;
  readonly without?: readonly MeshNodeName[];
  /** Where single nodes run, if not beside this process. */
  readonly locations?: Readonly<Record<string, NodeLocation & { readonly env: ServerEnv }>>;
  /** Whose program the nodes run that are started now, if not this checkout's. */
  readonly root?: string;
}

/** Starts all nodes at once, in no order, and waits until every one is ready. */
export async function startMesh({
  env = {},
  nodeEnv = {},
  without = [],
  locations: places = {},
  root,
}: MeshOptions = {}): Promise<TestMesh> {
  const shared: ServerEnv = {
    MESH: `test-${randomBytes(5).toString("hex")}`,
    AMQP_URL: env["AMQP_URL"] ?? amqpUrl(),
    REDIS_URL: env["REDIS_URL"] ?? redisUrl(),
    MONGO_URI: env["MONGO_URI"] ?? mongoUri(),
    JWT_SECRET: randomBytes(32).toString("hex"),
    HOST: "127.0.0.1",
    LIMITS: "off",
    DRAIN_MS: "0",
    ...env,
  };
  const nodes = new Map<string, NodeProcess>();
  const addressOf = (role: string): string => places[role]?.address ?? "127.0.0.1";
  const ports = { gatewayA: await freePort(), gatewayB: await freePort() };

  async function launch(role: string, services: string, own: ServerEnv = {}, whose: NodeLocation = {}): Promise<NodeProcess> {
    const statusPort = await freePort();
    const port = role in ports ? { PORT: String(ports[role as keyof typeof ports]) } : {};
    const place = places[role];
    const there = place && { HOST: addressOf(role), ADMIN_HOST: addressOf(role), ...place.env };
    const node = startNode(
      role,
      { ...shared, SERVICES: services, ADMIN_PORT: String(statusPort), ...port, ...there, ...nodeEnv[role], ...own },
      statusPort,
      { ...place, ...whose },
    );
    nodes.set(role, node);
    return node;
  }
  const mesh: TestMesh = {
    env: shared,
    gateways: [`http://${addressOf("gatewayA")}:${ports.gatewayA}`, `http://${addressOf("gatewayB")}:${ports.gatewayB}`],
    nodes,
    node: (role) => nodes.get(role)!,
    async start(role, services, own) {
      const node = await launch(role, services, own);
      await node.ready();
      return node;
    },
    async kill(role) {
      mesh.node(role).signal("SIGKILL");
      await mesh.node(role).exited;
    },
    freeze: (role) => freeze(mesh.node(role)),
    thaw: (role) => mesh.node(role).signal("SIGCONT"),
    async stop() {
      await Promise.all([...nodes.values()].map((node) => node.stop()));
      await cleanUpMesh(shared);
    },
  };
  const wanted = Object.entries(usualNodes).filter(([role]) => !without.includes(role as MeshNodeName));
  await Promise.all(wanted.map(([role, services]) => launch(role, services, {}, root === undefined ? {} : { root })));
  try {
    await Promise.all([...nodes.values()].map((node) => node.ready(180_000)));
  } catch (error) {
    await mesh.stop();
    throw error;
  }
  return mesh;
}
