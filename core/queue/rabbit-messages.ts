/** Writes, reads and sends events as RabbitMQ messages, with publisher confirms so that none is lost. */
import { randomUUID } from "node:crypto";
import type { ConfirmChannel, Message } from "amqplib";
import { Unavailable } from "../errors.ts";
import { withTimeout } from "../resilience/timeout.ts";
import { neverAnswered, type DeadLetter, type DurableEvent } from "./queue.ts";
import { redeliveryLimit } from "./rabbit-topology.ts";

const confirmMs = 5000;

/** Attempts of an event so far. */
export interface AttemptHeaders {
  readonly attempts: number;
  readonly reason?: string;
  /** Epoch milliseconds. */
  readonly diedAt?: number;
}

export const contentOf = (event: DurableEvent): Buffer => Buffer.from(JSON.stringify(event));

/** @throws SyntaxError  the message is not an event */
export const eventOf = ({ content }: Message): DurableEvent => JSON.parse(content.toString()) as DurableEvent;

export const attemptsOf = ({ properties }: Message): number => Number(properties.headers?.["attempts"] ?? 0);

export function deadLetterOf(message: Message, group: string): DeadLetter {
  const headers = message.properties.headers ?? {};
  const byBroker = headers["x-death"]?.[0];
  const event = readable(message);
  if (byBroker !== undefined)
    return { event, group, attempts: attemptsOf(message) + 1 + redeliveryLimit, reason: neverAnswered, diedAt: byBroker.time.value * 1000 };
  return { event, group, attempts: attemptsOf(message), reason: String(headers["reason"]), diedAt: Number(headers["diedAt"]) };
}

/** Reads a message's event. A message that is not an event is still returned, so that an operator can see it. */
function readable(message: Message): DurableEvent {
  try {
    return eventOf(message);
  } catch {
    return { id: "", topic: message.fields.routingKey, key: "", rev: 0, payload: message.content.toString() };
  }
}

export type ConfirmedSend = (
  exchange: string,
  routingKey: string,
  content: Buffer,
  headers: AttemptHeaders & { readonly group?: string },
) => Promise<void>;

/**
 * Sends on this channel, and resolves when RabbitMQ has stored the message in every queue it is routed to.
 * @throws Unavailable  RabbitMQ refused the message, no queue takes it, or there was no confirm within 5 s (it may have arrived
 *   nevertheless)
 */
export function confirmedSender(channel: ConfirmChannel): ConfirmedSend {
  const unroutable = new Set<unknown>();
  channel.on("return", ({ properties }: Message) => unroutable.add(properties.correlationId));

  return async (exchange, routingKey, content, headers) => {
    const correlationId = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    try {
      const options = { persistent: true, mandatory: true, contentType: "application/json", correlationId, headers };
      // RabbitMQ returns an unroutable message before it confirms it.
      channel.publish(exchange, routingKey, content, options, (error: Error | null) =>
        error === null ? resolve(undefined) : reject(error),
      );
      await withTimeout(promise, confirmMs, () => new Unavailable("RabbitMQ did not confirm the event in time"));
    } catch (error) {
      throw error instanceof Unavailable ? error : new Unavailable(`RabbitMQ did not accept the event: ${(error as Error).message}`);
    }
    if (unroutable.delete(correlationId)) throw new Unavailable(`nobody follows ${routingKey}`);
  };
}
