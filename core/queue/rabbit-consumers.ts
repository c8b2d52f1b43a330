/** Handing a group's events to its handler: acknowledged when it succeeded, or when the event is safe in a retry or dead-letter queue. */
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import type { Logger } from "moleculer";
import { inOrigin } from "../request-context.ts";
import { retryDelayMs, type DurableEvent, type RetryPolicy } from "./queue.ts";
import { attemptsOf, eventOf, type ConfirmedSend } from "./rabbit-messages.ts";
import type { RabbitNames } from "./rabbit-topology.ts";

/** What is made anew with each connection. */
export interface RabbitSession {
  readonly connection: ChannelModel;
  /** The connection ends with this channel, and both are made anew. */
  readonly watch: (channel: Channel) => void;
  readonly send: ConfirmedSend;
}

export interface Consumer {
  readonly group: string;
  readonly onEvent: (event: DurableEvent) => Promise<void>;
  readonly concurrency: number;
}

export interface Consumers {
  /** Begins on this connection; on the next one it must be called again. */
  readonly start: (session: RabbitSession, consumer: Consumer) => Promise<void>;
  /** Takes no more, and waits for the handlers under way. */
  readonly stop: () => Promise<void>;
}

interface RabbitDelivery {
  readonly session: RabbitSession;
  readonly channel: Channel;
  readonly consumer: Consumer;
  readonly message: ConsumeMessage;
}

export function rabbitConsumers({ names, retry, log }: { names: RabbitNames; retry: RetryPolicy; log: Logger }): Consumers {
  const inFlight = new Set<Promise<void>>();
  const cancels = new Map<string, () => Promise<unknown>>();
  let stopping = false;

  async function start(session: RabbitSession, consumer: Consumer): Promise<void> {
    const channel = await session.connection.createChannel();
    session.watch(channel);
    await channel.prefetch(consumer.concurrency);
    const { consumerTag } = await channel.consume(names.queue(consumer.group), (message) => {
      if (stopping) return; // Unacknowledged, so it goes back.
      // RabbitMQ took the consumer away (its queue moved or was deleted): begin again with a new connection.
      if (message === null) return void channel.close().catch(() => undefined);
      const delivering = deliver({ session, channel, consumer, message }).finally(() => inFlight.delete(delivering));
      inFlight.add(delivering);
    });
    cancels.set(consumer.group, () => channel.cancel(consumerTag));
  }

  async function deliver(delivery: RabbitDelivery): Promise<void> {
    const { channel, message } = delivery;
    if (await runOrRetry(delivery)) ignoreClosedChannel(() => channel.ack(message));
  }

  /** @returns false  it failed, and is safe nowhere else yet */
  async function runOrRetry(delivery: RabbitDelivery): Promise<boolean> {
    try {
      const event = eventOf(delivery.message);
      return await inOrigin(event.origin, () => runHandler(delivery, event));
    } catch (error) {
      return retryOrDeadLetter(delivery, error); // It is no event.
    }
  }

  async function runHandler(delivery: RabbitDelivery, event: DurableEvent): Promise<boolean> {
    try {
      await delivery.consumer.onEvent(event);
      return true;
    } catch (error) {
      return retryOrDeadLetter(delivery, error);
    }
  }

  /** Where a failed event goes: to its next attempt, or to the dead letters. */
  async function retryOrDeadLetter({ session, channel, consumer, message }: RabbitDelivery, error: unknown): Promise<boolean> {
    const { group } = consumer;
    const attempts = attemptsOf(message) + 1;
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    const isDead = attempts >= retry.attempts;
    log.warn(`event ${message.fields.routingKey} failed for ${group}, attempt ${attempts} of ${retry.attempts}: ${reason}`);
    try {
      if (isDead) await session.send("", names.dead(group), message.content, { attempts, reason, diedAt: Date.now() });
      else await session.send("", names.retry(retryDelayMs(retry, attempts)), message.content, { group, attempts, reason });
      return true;
    } catch (failure) {
      log.warn(`could not put it aside, it will be handed out again: ${(failure as Error).message}`);
      ignoreClosedChannel(() => channel.nack(message));
      return false;
    }
  }

  return {
    start,
    async stop() {
      stopping = true;
      await Promise.allSettled([...cancels.values()].map((cancel) => cancel()));
      await Promise.all(inFlight);
    },
  };
}

/** When the channel has closed meanwhile, RabbitMQ hands the event out again by itself. */
function ignoreClosedChannel(answer: () => void): void {
  try {
    answer();
  } catch {
    // The channel is closed.
  }
}
