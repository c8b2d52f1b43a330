/**
 * Moleculer's AMQP transporter, but that a request is handed over at most once. As it ships, a request is acknowledged when it is
 * answered; one that was at work when the connection broke would come again to the same node, be worked on twice, and the first one's
 * acknowledgement would break the new channel. Whoever asked has long given up on it by then, and asks again if that does no harm.
 */
import { Transporters } from "moleculer";

class AtMostOnceAmqp extends Transporters.AMQP {
  /** For every kind of packet: RabbitMQ forgets it when it is sent (`noAck`), so nothing is left to acknowledge. */
  override _consumeCB(command: string): ReturnType<Transporters.AMQP["_consumeCB"]> {
    return super._consumeCB(command, false);
  }

  /** A node that leaves has said so. A heartbeat that was due in that moment would break it: nothing can be sent on a closing channel. */
  override send(...packet: Parameters<Transporters.AMQP["send"]>): Promise<void> {
    return this.channelDisconnecting ? Promise.resolve() : super.send(...packet);
  }
}

/** @param amqpUrl  of RabbitMQ */
export function amqpTransporter(amqpUrl: string): AtMostOnceAmqp {
  const url = new URL(amqpUrl);
  url.searchParams.set("heartbeat", "10");
  const options = {
    url: url.href,
    consumeOptions: { noAck: true },
    socketOptions: { noDelay: true, timeout: 10_000, keepAlive: true }, // The types lack it.
  };
  return new AtMostOnceAmqp(options);
}
