/** Starts a mesh of real processes on the infrastructure: two gateways, two chat nodes, and nodes for the other services. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { serviceNames, serviceNamesIn } from "../../../core/service-names.ts";
import { freeze } from "../fault-injection/freeze.ts";
import { cleanUpMesh } from "./cleanup.ts";
import { amqpUrl, mongoUri, redisUrl } from "../infrastructure/infra.ts";
import { freePort, startNode, type ServerEnv, type NodeProcess, type NodeLocation } from "../servers/server.ts";

const ownNodes = {
  gatewayA: "gateway",
  gatewayB: "gateway",
  chatA: "chat",
  chatB: "chat",
  auth: "auth",
  profile: "profile",
  media: "media",
} as const;
const others = serviceNames.filter((name) => !(Object.values(ownNodes) as readonly string[]).includes(name));

/** The services of each node. Each node is a process. A service without a node of its own runs beside `request`. */
export const usualNodes = { ...ownNodes, request: others.join(",") } as const satisfies Readonly<Record<string, string>>;
export type MeshNodeName = keyof typeof usualNodes;

/** Returns those of the services that the release in this folder has. */
function servicesOfRelease(root: string, services: string): string {
  const known = serviceNamesIn(join(root, "services"));
  return services
    .split(",")
    .filter((name) => known.includes(name))
    .join(",");
}

export interface TestMesh {
  /** The environment that all nodes share. A process with it joins the mesh. */
  readonly env: ServerEnv;
  readonly gateways: readonly [string, string];
  readonly nodes: ReadonlyMap<string, NodeProcess>;
  node(role: string): NodeProcess;
  /** Starts a new node, or one that replaces a node that ended, and waits until it is ready. */
  start(role: string, services: string, env?: ServerEnv): Promise<NodeProcess>;
  /** Sends SIGKILL, and waits until the process has ended. */
  kill(role: string): Promise<void>;
  freeze(role: string): void;
  thaw(role: string): void;
  /** Stops every node and removes what the mesh created in RabbitMQ, Redis and MongoDB. */
  stop(): Promise<void>;
}

export interface MeshOptions {
  /** Additional environment of every node. */
  readonly env?: ServerEnv;
  /** Additional environment of single nodes. */
  readonly nodeEnv?: Readonly<Record<string, ServerEnv>>;
  readonly without?: readonly MeshNodeName[];
  /** Where single nodes run, if not in this process's network. */
  readonly locations?: Readonly<Record<string, NodeLocation & { readonly env: ServerEnv }>>;
  /** The checkout whose program the first nodes run. Nodes started later run this checkout's. */
  readonly root?: string;
}

/** Starts all nodes simultaneously and waits until every node is ready. */
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

  async function launch(role: string, services: string, extraEnv: ServerEnv = {}, program: NodeLocation = {}): Promise<NodeProcess> {
    const statusPort = await freePort();
    const port = role in ports ? { PORT: String(ports[role as keyof typeof ports]) } : {};
    const place = places[role];
    const placeEnv = place && { HOST: addressOf(role), ADMIN_HOST: addressOf(role), ...place.env };
    const node = startNode(
      role,
      { ...shared, SERVICES: services, ADMIN_PORT: String(statusPort), ...port, ...placeEnv, ...nodeEnv[role], ...extraEnv },
      statusPort,
      { ...place, ...program },
    );
    nodes.set(role, node);
    return node;
  }
  const mesh: TestMesh = {
    env: shared,
    gateways: [`http://${addressOf("gatewayA")}:${ports.gatewayA}`, `http://${addressOf("gatewayB")}:${ports.gatewayB}`],
    nodes,
    node: (role) => nodes.get(role)!,
    async start(role, services, extraEnv) {
      const node = await launch(role, services, extraEnv);
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
  await Promise.all(
    wanted.map(([role, services]) =>
      root === undefined ? launch(role, services) : launch(role, servicesOfRelease(root, services), {}, { root }),
    ),
  );
  try {
    await Promise.all([...nodes.values()].map((node) => node.ready(180_000)));
  } catch (error) {
    await mesh.stop();
    throw error;
  }
  return mesh;
}
