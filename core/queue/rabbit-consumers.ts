/** Handing a group's events to its handler: acknowledged when it succeeded, or when the event is safe in a retry or dead-letter queue. */
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import type { Logger } from "moleculer";
import { inOrigin } from "../request-context.ts";
import { retryDelayMs, type DurableEvent, type RetryPolicy } from "./queue.ts";
import { attemptsOf, eventOf, type Send } from "./rabbit-messages.ts";
import type { Names } from "./rabbit-topology.ts";

/** What is made anew with each connection. */
export interface Session {
  readonly connection: ChannelModel;
  /** The connection ends with this channel, and both are made anew. */
  readonly watch: (channel: Channel) => void;
  readonly send: Send;
}

export interface Consumer {
  readonly group: string;
  readonly handle: (event: DurableEvent) => Promise<void>;
  readonly concurrency: number;
}

export interface Consumers {
  /** Begins on this connection; on the next one it must be called again. */
  readonly start: (session: Session, consumer: Consumer) => Promise<void>;
  /** Takes no more, and waits for the handlers under way. */
  readonly stop: () => Promise<void>;
}

interface Delivery {
  readonly session: Session;
  readonly channel: Channel;
  readonly consumer: Consumer;
  readonly message: ConsumeMessage;
}

export function rabbitConsumers({ at, retry, log }: { at: Names; retry: RetryPolicy; log: Logger }): Consumers {
  const underWay = new Set<Promise<void>>();
  const cancels = new Map<string, () => Promise<unknown>>();
  let stopping = false;

  async function start(session: Session, consumer: Consumer): Promise<void> {
    const channel = await session.connection.createChannel();
    session.watch(channel);
    await channel.prefetch(consumer.concurrency);
    const { consumerTag } = await channel.consume(at.queue(consumer.group), (message) => {
      if (stopping) return; // Unacknowledged, so it goes back.
      // RabbitMQ took the consumer away (its queue moved or was deleted): begin again with a new connection.
      if (message === null) return void channel.close().catch(() => undefined);
      const handling = hand({ session, channel, consumer, message }).finally(() => underWay.delete(handling));
      underWay.add(handling);
    });
    cancels.set(consumer.group, () => channel.cancel(consumerTag));
  }

  async function hand(delivery: Delivery): Promise<void> {
    const { channel, message } = delivery;
    if (await isDone(delivery)) tellBroker(() => channel.ack(message));
  }

  /** @returns false  it failed, and is safe nowhere else yet */
  async function isDone(delivery: Delivery): Promise<boolean> {
    try {
      const event = eventOf(delivery.message);
      return await inOrigin(event.origin, () => handled(delivery, event));
    } catch (error) {
      return putAside(delivery, error); // It is no event.
    }
  }

  async function handled(delivery: Delivery, event: DurableEvent): Promise<boolean> {
    try {
      await delivery.consumer.handle(event);
      return true;
    } catch (error) {
      return putAside(delivery, error);
    }
  }

  /** Where a failed event goes: to its next attempt, or to the dead letters. */
  async function putAside({ session, channel, consumer, message }: Delivery, error: unknown): Promise<boolean> {
    const { group } = consumer;
    const attempts = attemptsOf(message) + 1;
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    const isDead = attempts >= retry.attempts;
    log.warn(`event ${message.fields.routingKey} failed for ${group}, attempt ${attempts} of ${retry.attempts}: ${reason}`);
    try {
      if (isDead) await session.send("", at.dead(group), message.content, { attempts, reason, diedAt: Date.now() });
      else await session.send("", at.retry(retryDelayMs(retry, attempts)), message.content, { group, attempts, reason });
      return true;
    } catch (failure) {
      log.warn(`could not put it aside, it will be handed out again: ${(failure as Error).message}`);
      tellBroker(() => channel.nack(message));
      return false;
    }
  }

  return {
    start,
    async stop() {
      stopping = true;
      await Promise.allSettled([...cancels.values()].map((cancel) => cancel()));
      await Promise.all(underWay);
    },
  };
}

/** When the channel has closed meanwhile, RabbitMQ hands the event out again by itself. */
function tellBroker(answer: () => void): void {
  try {
    answer();
  } catch {
    // The channel is closed.
  }
}
