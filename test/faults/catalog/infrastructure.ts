/** Faults: MongoDB, RabbitMQ or Redis is killed and restarted later. Redis restarts empty, the others with their data on disk. */
import { setTimeout as pause } from "node:timers/promises";
import { promises, type MeshFault, type MeshTarget, type StrikeReport } from "../target/fault.ts";

const downMs = 8000;
/** How long a follower is frozen before RabbitMQ is killed, so that events wait in its queue. */
const queueingMs = 3000;

interface Outage {
  readonly name: string;
  readonly what: string;
  readonly stop: (target: MeshTarget) => Promise<void>;
  readonly restart: (target: MeshTarget) => Promise<void>;
}

const outage = ({ stop, restart, ...row }: Outage): MeshFault => ({
  ...row,
  target: "mesh",
  promiseMs: promises.infrastructureMs,
  async strike(target): Promise<StrikeReport> {
    await stop(target);
    await pause(downMs);
    await restart(target);
    return { from: Date.now(), cut: [] };
  },
});

export const infrastructure: readonly MeshFault[] = [
  outage({
    name: "restart-mongod",
    what: `mongod is killed (SIGKILL) and restarted ${downMs / 1000} s later`,
    stop: ({ mongod }) => mongod.kill(),
    restart: ({ mongod }) => mongod.start(),
  }),
  outage({
    name: "restart-rabbitmq",
    what: `RabbitMQ is killed (SIGKILL) and restarted ${downMs / 1000} s later`,
    stop: ({ rabbit }) => rabbit.kill(),
    restart: ({ rabbit }) => rabbit.start(),
  }),
  outage({
    name: "restart-rabbitmq-backlog",
    what: "RabbitMQ is killed and restarted while events for a frozen follower wait in it",
    async stop({ mesh, rabbit }) {
      mesh.freeze("profile");
      await pause(queueingMs);
      await rabbit.kill();
    },
    async restart({ mesh, rabbit }) {
      await rabbit.start();
      mesh.thaw("profile");
    },
  }),
  outage({
    name: "restart-redis",
    what: `Redis is killed (SIGKILL) and restarted empty ${downMs / 1000} s later`,
    stop: ({ redis }) => redis.crash(),
    restart: ({ redis }) => redis.start(),
  }),
];
