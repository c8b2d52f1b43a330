/** Queues a mesh's events in RabbitMQ, which stores them, delays retries and keeps dead letters (`rabbit-topology.ts`). */
import type { Channel, ChannelModel } from "amqplib";
import type { Logger } from "moleculer";
import { NotFound, Unavailable } from "../errors.ts";
import type { ConsumerGroups, Queue, RetryPolicy } from "./queue.ts";
import { keepConnected } from "./rabbit-connection.ts";
import { rabbitConsumers, type Consumer, type RabbitSession } from "./rabbit-consumers.ts";
import { withDeadLetters } from "./rabbit-dead-letters.ts";
import { contentOf, deadLetterOf, confirmedSender } from "./rabbit-messages.ts";
import { declareTopology, rabbitNames } from "./rabbit-topology.ts";

export interface RabbitQueueOptions {
  readonly url: string;
  /** Prefix of the exchanges and queues, since several meshes may share a RabbitMQ. */
  readonly name: string;
  readonly groups: ConsumerGroups;
  readonly retry: RetryPolicy;
  readonly log: Logger;
}

/** @throws StartError  wrong credentials; while RabbitMQ can't be reached, the promise stays pending */
export async function openRabbitQueue({ url, name, groups, retry, log }: RabbitQueueOptions): Promise<Queue> {
  const names = rabbitNames(name);
  const consuming: Consumer[] = [];
  const consumers = rabbitConsumers({ names, retry, log });

  async function setUp(connection: ChannelModel, watch: (channel: Channel) => void): Promise<RabbitSession> {
    const channel = await connection.createConfirmChannel();
    watch(channel);
    await declareTopology(channel, names, groups, retry);
    return { connection, watch, send: confirmedSender(channel) };
  }

  async function start(currentSession: RabbitSession, consumer: Consumer): Promise<void> {
    try {
      await consumers.start(currentSession, consumer);
    } catch (error) {
      log.warn(`RabbitMQ: ${consumer.group} can't consume yet`, error);
      currentSession.connection.close().catch(() => undefined);
    }
  }

  const connection = await keepConnected({
    url,
    log,
    setUp,
    connected: (currentSession) => consuming.forEach((consumer) => void start(currentSession, consumer)),
  });

  function currentSession(): RabbitSession {
    const current = connection.current();
    if (current === undefined) throw new Unavailable("RabbitMQ can't be reached");
    return current;
  }

  function requireGroup(group: string): string {
    if (!Object.hasOwn(groups, group)) throw new NotFound(`There is no consumer group ${group}`);
    return group;
  }

  return {
    publish: async (event) => currentSession().send(names.events, event.topic, contentOf(event), { attempts: 0 }),
    async consume(group, onEvent, { concurrency = 10 } = {}) {
      const consumer = { group: requireGroup(group), onEvent, concurrency };
      consuming.push(consumer);
      const current = connection.current();
      if (current !== undefined) await start(current, consumer);
    },
    async deadLetters(group, limit) {
      const letters = await withDeadLetters(currentSession().connection, names.dead(requireGroup(group)), (messages) =>
        messages.map((message) => deadLetterOf(message, group)),
      );
      return letters.sort((a, b) => b.diedAt - a.diedAt).slice(0, limit);
    },
    replay(group, eventId) {
      const { connection: model, send } = currentSession();
      return withDeadLetters(model, names.dead(requireGroup(group)), async (messages, remove) => {
        const wanted = messages.filter((message) => eventId === undefined || deadLetterOf(message, group).event.id === eventId);
        for (const message of wanted) {
          await send("", names.queue(group), message.content, { attempts: 0 });
          remove(message);
        }
        return wanted.length;
      });
    },
    async depths() {
      const channel = await currentSession().connection.createChannel();
      channel.on("error", () => undefined); // The pending call rejects with this error.
      const count = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
      try {
        return await Promise.all(
          Object.keys(groups).map(async (group) => ({
            group,
            waiting: await count(names.queue(group)),
            dead: await count(names.dead(group)),
          })),
        );
      } finally {
        await channel.close().catch(() => undefined);
      }
    },
    health() {
      const ok = connection.current() !== undefined;
      return ok ? { ok } : { ok, detail: "RabbitMQ can't be reached" };
    },
    async close() {
      await consumers.stop();
      await connection.close();
    },
  };
}
