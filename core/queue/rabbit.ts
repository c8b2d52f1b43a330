/** The queue of a mesh: RabbitMQ holds the events, spaces the retries and keeps the dead letters (`rabbit-topology.ts`). */
import type { Channel, ChannelModel } from "amqplib";
import type { Logger } from "moleculer";
import { NotFound, Unavailable } from "../errors.ts";
import type { Groups, Queue, RetryPolicy } from "./queue.ts";
import { keepConnected } from "./rabbit-connection.ts";
import { rabbitConsumers, type Consumer, type Session } from "./rabbit-consumers.ts";
import { readDead } from "./rabbit-dead.ts";
import { contentOf, deadLetterOf, sender } from "./rabbit-messages.ts";
import { declare, names } from "./rabbit-topology.ts";

export interface RabbitOptions {
  readonly url: string;
  /** Prefix of its exchanges and queues: several meshes may share a RabbitMQ. */
  readonly name: string;
  readonly groups: Groups;
  readonly retry: RetryPolicy;
  readonly log: Logger;
}

/** @throws StartError  wrong credentials; while RabbitMQ can't be reached it waits */
export async function openRabbitQueue({ url, name, groups, retry, log }: RabbitOptions): Promise<Queue> {
  const at = names(name);
  const consuming: Consumer[] = [];
  const consumers = rabbitConsumers({ at, retry, log });

  async function setUp(connection: ChannelModel, watch: (channel: Channel) => void): Promise<Session> {
    const channel = await connection.createConfirmChannel();
    watch(channel);
    await declare(channel, at, groups, retry);
    return { connection, watch, send: sender(channel) };
  }

  async function start(session: Session, consumer: Consumer): Promise<void> {
    try {
      await consumers.start(session, consumer);
    } catch (error) {
      log.warn(`RabbitMQ: ${consumer.group} can't consume yet`, error);
      session.connection.close().catch(() => undefined);
    }
  }

  const connection = await keepConnected({
    url,
    log,
    setUp,
    connected: (session) => consuming.forEach((consumer) => void start(session, consumer)),
  });

  function session(): Session {
    const current = connection.current();
    if (current === undefined) throw new Unavailable("RabbitMQ can't be reached");
    return current;
  }

  function known(group: string): string {
    if (!Object.hasOwn(groups, group)) throw new NotFound(`There is no consumer group ${group}`);
    return group;
  }

  return {
    publish: async (event) => session().send(at.events, event.topic, contentOf(event), { attempts: 0 }),
    async consume(group, handle, { concurrency = 10 } = {}) {
      const consumer = { group: known(group), handle, concurrency };
      consuming.push(consumer);
      const current = connection.current();
      if (current !== undefined) await start(current, consumer);
    },
    async deadLetters(group, limit) {
      const letters = await readDead(session().connection, at.dead(known(group)), (messages) =>
        messages.map((message) => deadLetterOf(message, group)),
      );
      return letters.sort((a, b) => b.diedAt - a.diedAt).slice(0, limit);
    },
    replay(group, eventId) {
      const { connection: model, send } = session();
      return readDead(model, at.dead(known(group)), async (messages, remove) => {
        const wanted = messages.filter((message) => eventId === undefined || deadLetterOf(message, group).event.id === eventId);
        for (const message of wanted) {
          await send("", at.queue(group), message.content, { attempts: 0 });
          remove(message);
        }
        return wanted.length;
      });
    },
    async depths() {
      const channel = await session().connection.createChannel();
      channel.on("error", () => undefined); // Comes out of the call that was under way.
      const count = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
      try {
        return await Promise.all(
          Object.keys(groups).map(async (group) => ({
            group,
            waiting: await count(at.queue(group)),
            dead: await count(at.dead(group)),
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
