/** Types of the fault test: faults, the systems that they strike (targets), the load (a storm), and reports. */
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

/** A target's store and queue, opened directly to read what is in them. */
export interface TargetInternals {
  readonly store: Store;
  readonly queue: Queue;
}
/** What a storm needs of a target: the URLs that clients connect to, and access to its store and queue. */
export interface ReachableTarget {
  /** Clients connect to these URLs in turn. An embedded server is listed twice. */
  readonly gateways: readonly string[];
  /** Opens the store and the queue for one function. An embedded server is stopped for that time, and restarted. */
  inspect<T>(read: (inside: TargetInternals) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** Two gateways, two chat nodes and one of each other service, on infrastructure of their own. */
export interface MeshTarget extends ReachableTarget {
  readonly kind: "mesh";
  readonly mesh: TestMesh;
  /** Where nodes run that can be cut off, by role; empty in the shared mesh. */
  readonly locations: Readonly<Record<string, CuttableLocation>>;
  readonly rabbit: OwnRabbit;
  readonly redis: OwnRedis;
  readonly mongod: Mongod;
}

/** One process with one data folder. */
export interface EmbeddedTarget extends ReachableTarget {
  readonly kind: "embedded";
  /** The process that runs now. */
  readonly server: EmbeddedServer;
  /** Starts the server again on the same port and folder, after it has ended. Resolves when it is ready. */
  restart(): Promise<void>;
}
export type FaultTarget = MeshTarget | EmbeddedTarget;

/** A user of the storm, with a client of the library. */
export interface StormClient {
  readonly name: string;
  readonly person: Person;
  readonly parley: Parley;
  /** URL of the gateway that the client is connected to, directly or through the proxy. */
  readonly gateway: string;
  /** Set for the first clients, as many as the fault's `proxied`. */
  readonly proxy?: TcpProxy;
  readonly chatIds: readonly string[];
}

/** The load during a fault. */
export interface Storm {
  readonly clients: readonly StormClient[];
  /** Changes acknowledged so far. */
  readonly acknowledged: () => number;
}

/** A span in which the fault itself disconnects a client. Its silence does not count until it is online again afterwards. */
export interface CutOffSpan {
  /** The client's name. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly from: number;
  readonly until: number;
}

/** What a fault reports about itself. */
export interface StrikeReport {
  /** Epoch milliseconds from which the promised time counts, e.g. when the process was killed, or the store accepted connections again. */
  readonly from: number;
  readonly cut: readonly CutOffSpan[];
  /** Printed after the fault, e.g. how the network was cut. */
  readonly note?: string;
}

/** A fault's entry in the table, and its settings for the storm. */
export interface FaultEntry {
  /** As given to `--only`, in kebab-case. */
  readonly name: string;
  /** The title of its row in the table: what fails, e.g. "a gateway is killed". */
  readonly what: string;
  /** The longest time without a delivery, for clients that are not cut off, counted from `StrikeReport.from`. */
  readonly promiseMs: number;
  /** How many clients connect through a proxy of their own. */
  readonly proxied?: number;
  /** The test suite runs this fault too, in a smaller storm. */
  readonly isQuick?: boolean;
}
export interface MeshFault extends FaultEntry {
  readonly target: "mesh";
  /** Causes the fault and undoes it. Resolves when the target is repaired. */
  strike(target: MeshTarget, storm: Storm): Promise<StrikeReport>;
  /** Starts a mesh for this fault alone, e.g. in a network of its own; without it, the fault runs on the shared mesh. */
  start?(): Promise<MeshTarget>;
}
export interface EmbeddedFault extends FaultEntry {
  readonly target: "embedded";
  strike(target: EmbeddedTarget, storm: Storm): Promise<StrikeReport>;
  /** Starts the server in a special way, e.g. on a disk of its own. */
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

/** Marks all clients of this gateway as cut off during a span. */
export const clientsCutOff = ({ clients }: Storm, gateway: string, from: number, until: number): CutOffSpan[] =>
  clients.filter((client) => client.gateway === gateway).map(({ name }) => ({ name, from, until }));
