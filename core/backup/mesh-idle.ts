/** Checks that a mesh is idle, so that its stores can be overwritten: none of its nodes runs, and its queues hold no events. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type ChannelModel } from "amqplib";
import { ServiceBroker } from "moleculer";
import { amqpTransporter, serializer } from "../broker/transporter.ts";
import type { MeshConfig } from "../config/config.ts";
import { CommandError } from "../errors.ts";
import type { ConsumerGroups, RetryPolicy } from "../queue/queue.ts";
import { rabbitNames, retryDelays } from "../queue/rabbit-topology.ts";

/** Running nodes answer a new node immediately; busy ones a little later. */
const answerTimeoutMs = 2000;

/** @throws CommandError  a node answers, or a queue has a consumer or holds events */
export async function assertMeshIdle({ name, amqpUrl }: MeshConfig, groups: ConsumerGroups, retry: RetryPolicy): Promise<void> {
  const connection = await connect(amqpUrl).catch((error: unknown) => {
    throw new CommandError(`RabbitMQ can't be reached: ${(error as Error).message}`);
  });
  try {
    await assertQueuesIdle(connection, name, groups, retry);
  } finally {
    await connection.close();
  }
  const running = await runningNodes(name, amqpUrl);
  if (running.length > 0) throw new CommandError(`Nodes of the mesh ${name} are running: stop ${running.join(", ")} first`);
}

async function assertQueuesIdle(connection: ChannelModel, name: string, groups: ConsumerGroups, retry: RetryPolicy): Promise<void> {
  const names = rabbitNames(name);
  const perGroup = Object.keys(groups).flatMap((group) => [names.queue(group), names.dead(group)]);
  for (const queue of [...perGroup, ...retryDelays(retry).map(names.retry)]) {
    const state = await queueState(connection, queue);
    if (state === undefined) continue;
    // A paused node keeps its consumer until RabbitMQ closes its connection.
    if (state.consumerCount > 0) throw new CommandError(`Nodes of the mesh ${name} are running: the queue ${queue} has a consumer`);
    if (state.messageCount > 0) {
      throw new CommandError(
        `The queue ${queue} holds ${state.messageCount} events of another time: let the nodes handle them, or delete the queues of the mesh ${name}`,
      );
    }
  }
}

async function queueState(connection: ChannelModel, queue: string): Promise<{ messageCount: number; consumerCount: number } | undefined> {
  const channel = await connection.createChannel();
  // RabbitMQ closes the channel if the queue does not exist.
  channel.on("error", () => undefined);
  try {
    const state = await channel.checkQueue(queue);
    await channel.close();
    return state;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}

/**
 * Finds running nodes of a mesh, including those that consume nothing. It stops waiting at the first answer, so the result may lack nodes
 * that answer later.
 * @returns the ids of the nodes that have answered
 */
async function runningNodes(name: string, amqpUrl: string): Promise<string[]> {
  const nodeID = `restore-${randomBytes(4).toString("hex")}`;
  const broker = new ServiceBroker({
    namespace: name,
    nodeID,
    transporter: amqpTransporter(amqpUrl),
    serializer,
    logger: false,
    skipProcessEventRegistration: true,
    internalServices: false,
  });
  const others = () => broker.registry.nodes.list({ onlyAvailable: true }).filter(({ id }: { id: string }) => id !== nodeID);
  try {
    await broker.start();
    const deadline = performance.now() + answerTimeoutMs;
    while (others().length === 0 && performance.now() < deadline) await pause(100);
    return others().map(({ id }: { id: string }) => id);
  } finally {
    await broker.stop();
  }
}
