/**
 * Changes Moleculer's AMQP transporter to deliver a request at most once. The original acknowledges a request after its response. If the
 * connection broke while a request was running, RabbitMQ would deliver it to the same node again, the node would run it twice, and the
 * first run's acknowledgement would break the new channel. A caller whose request is lost with a connection times out, and retries if the
 * action allows it.
 */
import { Transporters } from "moleculer";

/** Moleculer's serializer; processes with different serializers cannot read each other's packets. */
export const serializer = "JSONExt";

class AtMostOnceAmqp extends Transporters.AMQP {
  /** Consumes every kind of packet without acknowledgements: with `noAck`, RabbitMQ forgets a packet once it is sent. */
  override _consumeCB(command: string): ReturnType<Transporters.AMQP["_consumeCB"]> {
    return super._consumeCB(command, false);
  }

  /** Drops packets while the channel closes: a heartbeat sent then would throw. The node has already announced that it leaves. */
  override send(...packet: Parameters<Transporters.AMQP["send"]>): Promise<void> {
    return this.channelDisconnecting ? Promise.resolve() : super.send(...packet);
  }
}

/** @param amqpUrl  RabbitMQ's URL */
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
