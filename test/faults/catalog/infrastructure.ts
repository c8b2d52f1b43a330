/** What the mesh rests on, killed and started again a while later: on the data it had on disk, or, as Redis is run, on none. */
import { setTimeout as pause } from "node:timers/promises";
import { promises, type MeshFault, type MeshTarget, type StrikeReport } from "../target/fault.ts";

const awayMs = 8000;
/** How long a follower takes nothing, so that its events wait in RabbitMQ. */
const gatherMs = 3000;

interface Outage {
  readonly name: string;
  readonly what: string;
  readonly falls: (world: MeshTarget) => Promise<void>;
  readonly returns: (world: MeshTarget) => Promise<void>;
}

const away = ({ falls, returns, ...row }: Outage): MeshFault => ({
  ...row,
  world: "mesh",
  promiseMs: promises.infrastructureMs,
  async strike(world): Promise<StrikeReport> {
    await falls(world);
    await pause(awayMs);
    await returns(world);
    return { from: Date.now(), cut: [] };
  },
});

export const infrastructure: readonly MeshFault[] = [
  away({
    name: "restart-mongod",
    what: `mongod is killed (SIGKILL) and started again ${awayMs / 1000} s later`,
    falls: ({ mongod }) => mongod.kill(),
    returns: ({ mongod }) => mongod.start(),
  }),
  away({
    name: "restart-rabbitmq",
    what: `RabbitMQ is killed (SIGKILL) and started again ${awayMs / 1000} s later`,
    falls: ({ rabbit }) => rabbit.kill(),
    returns: ({ rabbit }) => rabbit.start(),
  }),
  away({
    name: "restart-rabbitmq-full",
    what: "the same while durable events wait in it, for their follower is frozen",
    async falls({ mesh, rabbit }) {
      mesh.freeze("profile");
      await pause(gatherMs);
      await rabbit.kill();
    },
    async returns({ mesh, rabbit }) {
      await rabbit.start();
      mesh.thaw("profile");
    },
  }),
  away({
    name: "restart-redis",
    what: `Redis is killed (SIGKILL) and comes back empty ${awayMs / 1000} s later`,
    falls: ({ redis }) => redis.crash(),
    returns: ({ redis }) => redis.start(),
  }),
];
