/**
 * Keeps a connection to RabbitMQ and reconnects for ever with back-off. amqplib repairs nothing by itself: when the connection or one of
 * its channels breaks, everything is closed and set up again.
 */
import { connect, type Channel, type ChannelModel } from "amqplib";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "moleculer";
import { StartError } from "../errors.ts";

const maxRetryDelayMs = 3000;
const closeTimeoutMs = 2000;
/** amqplib reports the reply code only in the message: 403 for the credentials, 530 for the virtual host. */
const connectionRefused = /ACCESS[-_]REFUSED|NOT[-_]ALLOWED/;

export interface RabbitConnectionOptions<S> {
  readonly url: string;
  readonly log: Logger;
  /** Sets up a new connection. When a watched channel closes, the connection ends too. */
  readonly setUp: (connection: ChannelModel, watch: (channel: Channel) => void) => Promise<S>;
  /** Called when the new session is current. */
  readonly connected: (session: S) => void;
}

export interface RabbitConnection<S> {
  /** The result of `setUp`; undefined while there is no connection. */
  readonly current: () => S | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Resolves when the first connection is set up.
 * @throws StartError  RabbitMQ refuses the credentials or the virtual host
 */
export async function keepConnected<S>({ url, log, setUp, connected }: RabbitConnectionOptions<S>): Promise<RabbitConnection<S>> {
  const closing = new AbortController();
  const isClosing = (): boolean => closing.signal.aborted;
  const first = Promise.withResolvers<undefined>();
  let connection: ChannelModel | undefined;
  let current: S | undefined;
  let tries = 0;

  /** Runs one connection until it ends. @returns why it ended */
  async function runConnection(): Promise<Error> {
    connection = await connect(withHeartbeat(url), { noDelay: true, keepAlive: true, timeout: 5000 });
    const { ended, watch } = watchConnection(connection);
    if (isClosing()) return new Error("closed");
    const broken = ended.then((reason) => Promise.reject(reason));
    current = await Promise.race([setUp(connection, watch), broken]);
    tries = 0;
    first.resolve(undefined);
    connected(current);
    return ended;
  }

  async function keepReconnecting(): Promise<void> {
    while (!isClosing()) {
      const reason = await runConnection().catch((error: unknown) => error as NodeJS.ErrnoException);
      const text = reason.message || String((reason as NodeJS.ErrnoException).code);
      current = undefined;
      connection?.close().catch(() => undefined); // Fails if it is closed already.
      if (connectionRefused.test(text)) first.reject(new StartError(`AMQP_URL: RabbitMQ refused the connection: ${text}`));
      if (isClosing()) return;
      log.warn(`RabbitMQ is away: ${text}; reconnecting`);
      tries += 1;
      await pause(Math.min(100 * 2 ** tries, maxRetryDelayMs), undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    const closed = connection?.close().catch(() => undefined);
    // A frozen broker never confirms the close.
    await Promise.race([Promise.all([closed, reconnecting]), pause(closeTimeoutMs, undefined, { ref: false })]);
  }

  const reconnecting = keepReconnecting();
  try {
    await first.promise;
  } catch (error) {
    closing.abort();
    throw error;
  }
  return { current: () => current, close };
}

/** Resolves when a connection ends, with the reason. A watched channel that closes also ends it. */
function watchConnection(connection: ChannelModel): { ended: Promise<Error>; watch: (channel: Channel) => void } {
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  let reason = new Error("the connection was closed");
  const because = (error: Error): void => {
    reason = error;
  };
  connection.on("error", because);
  connection.on("close", () => resolve(reason));
  const watch = (channel: Channel): void => {
    channel.on("error", because);
    channel.on("close", () => connection.close().catch(() => undefined));
  };
  return { ended, watch };
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set("heartbeat", "10");
  return parsed.href;
}
