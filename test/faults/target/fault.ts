/** What a fault is, what it strikes, and what it hands back: the terms that `run.ts` and every file of `faults/` share. */
import type { Parley } from "../../../client/index.ts";
import type { Queue } from "../../../core/queue/queue.ts";
import type { Store } from "../../../core/store/store.ts";
import type { TestMesh } from "../../support/mesh/mesh.ts";
import type { Mongod } from "../../support/infrastructure/mongod.ts";
import type { OwnRabbit } from "../../support/infrastructure/own-rabbit.ts";
import type { OwnRedis } from "../../support/infrastructure/own-redis.ts";
import type { CuttableLocation } from "../../support/fault-injection/network.ts";
import type { Person } from "../../support/people/person.ts";
import type { EmbeddedServer } from "../../support/servers/server.ts";
import type { TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

/** A world's store and queue, opened besides its processes: to see what is in them. */
export interface TargetInternals {
  readonly store: Store;
  readonly queue: Queue;
}
/** What a storm needs of any world: where clients connect, and a way to look into its store and its queue. */
export interface ReachableTarget {
  /** Where clients connect, in turn; of an embedded server twice the same. */
  readonly gateways: readonly string[];
  /** Opens the store and the queue, and closes them again; for it an embedded server is stopped, and then started anew. */
  inspect<T>(see: (inside: TargetInternals) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Two gateways, two chat nodes and one of each other service, on infrastructure of their own. */
export interface MeshTarget extends ReachableTarget {
  readonly kind: "mesh";
  readonly mesh: TestMesh;
  /** Nodes that can be cut off, by role; none in the usual mesh. */
  readonly places: Readonly<Record<string, CuttableLocation>>;
  readonly rabbit: OwnRabbit;
  readonly redis: OwnRedis;
  readonly mongod: Mongod;
}

/** One process on one folder. */
export interface EmbeddedTarget extends ReachableTarget {
  readonly kind: "embedded";
  /** The process that runs now. */
  readonly server: EmbeddedServer;
  /** Starts it again on the same port and folder, after its end; resolves when it is ready. */
  restart(): Promise<void>;
}
export type FaultTarget = MeshTarget | EmbeddedTarget;

/** Someone of the storm, at a client of the library that acts all the time. */
export interface StormClient {
  readonly name: string;
  readonly person: Person;
  readonly parley: Parley;
  /** The gateway they are connected to, by its URL, also where they reach it through a proxy. */
  readonly gateway: string;
  /** Set for the first `proxied` ones of the fault. */
  readonly proxy?: TcpProxy;
  readonly chatIds: readonly string[];
}

/** What goes on while a fault strikes. */
export interface Storm {
  readonly clients: readonly StormClient[];
  /** Changes acknowledged so far. */
  readonly acknowledged: () => number;
}

/** Someone whom the fault itself cuts off or holds up: no promise counts their waiting until they are online again after it. */
export interface CutOffSpan {
  /** A dweller's. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly from: number;
  readonly until: number;
}

/** How it went, as far as the fault itself knows. */
export interface StrikeReport {
  /** Epoch milliseconds: where the promise's clock begins, e.g. when the process fell, or the store accepted connections again. */
  readonly from: number;
  readonly cut: readonly CutOffSpan[];
  /** Said below the table, e.g. how the network was cut. */
  readonly note?: string;
}

/** What the table says of a fault, and what a storm has to know of it. */
export interface FaultEntry {
  /** As given to `--only`, in kebab-case. */
  readonly name: string;
  /** The row of the table: what falls, e.g. "a gateway is killed". */
  readonly what: string;
  /** How long a client that is not itself cut may be without a delivery, counted from `Strike.from`. */
  readonly promiseMs: number;
  /** So many dwellers, the first ones, reach their gateway through a proxy each. */
  readonly proxied?: number;
  /** One of those that the test suite runs too, in a smaller storm. */
  readonly isQuick?: boolean;
}
export interface MeshFault extends FaultEntry {
  readonly world: "mesh";
  /** Does it and undoes it; resolves when the world is whole again. */
  strike(world: MeshTarget, storm: Storm): Promise<StrikeReport>;
  /** Starts the mesh that is struck, if not the usual one, e.g. on a network of its own. */
  start?(): Promise<MeshTarget>;
}
export interface EmbeddedFault extends FaultEntry {
  readonly world: "embedded";
  strike(world: EmbeddedTarget, storm: Storm): Promise<StrikeReport>;
  /** Starts the server that is struck, if not the usual one, e.g. on a disk of its own. */
  start?(): Promise<EmbeddedTarget>;
}
export type Fault = MeshFault | EmbeddedFault;

/** The promises of docs/reliability.md. */
export const promises = {
  /** After a process died or froze. */
  processMs: 10_000,
  /** After a broker or store accepts connections again. */
  infrastructureMs: 15_000,
  /** After a cut network heals. */
  networkMs: 30_000,
} as const;

/** Everyone connected to this gateway, as cut off from one moment until another. */
export const clientsCutOff = ({ clients: dwellers }: Storm, gateway: string, from: number, until: number): CutOffSpan[] =>
  dwellers.filter((dweller) => dweller.gateway === gateway).map(({ name }) => ({ name, from, until }));
