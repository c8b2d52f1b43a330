/**
 * Connects to Redis for the feed. Reconnects for ever with back-off and never queues commands. Commands in flight fail as soon as the
 * connection breaks, so an unavailable Redis costs neither time nor memory.
 */
import { Redis } from "ioredis";
import type { Logger } from "moleculer";
import { StartError } from "../errors.ts";
import { startTimeout } from "../resilience/timeout.ts";

const heartbeatMs = 5000;
const maxRetryDelayMs = 2000;
const credentialsRefused = /WRONGPASS|NOAUTH|NOPERM|invalid password/i;

/** @param name  of the connection, in the log and in Redis' CLIENT LIST */
export function redisClient(url: string, name: string, log: Logger): Redis {
  const client = new Redis(url, {
    lazyConnect: true,
    connectionName: name,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: true,
    connectTimeout: 5000,
    retryStrategy: (tries) => Math.min(100 * 2 ** tries, maxRetryDelayMs),
  });
  let reason = "the connection was closed";
  client.on("error", (error: NodeJS.ErrnoException) => (reason = error.message || (error.code ?? reason)));
  client.on("close", () => log.warn(`Redis is away (${name}): ${reason}; reconnecting`));
  const heartbeat = setInterval(() => void checkAlive(client), heartbeatMs).unref();
  client.on("end", () => clearInterval(heartbeat));
  return client;
}

/** Pings Redis and reconnects if it doesn't answer: a frozen or disconnected peer sends nothing by itself. */
async function checkAlive(client: Redis): Promise<void> {
  if (client.status !== "ready") return;
  const cancelTimeout = startTimeout(heartbeatMs, () => client.disconnect(true));
  await client.ping().catch(() => undefined);
  cancelTimeout();
}

/**
 * Waits until the client is connected, however long that takes.
 * @throws StartError  Redis refuses the credentials
 */
export async function untilConnected(client: Redis): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const failed = (error: Error): void => {
    if (credentialsRefused.test(error.message)) reject(new StartError(`REDIS_URL: Redis refused the credentials: ${error.message}`));
  };
  const ready = (): void => resolve(undefined);
  client.once("ready", ready);
  client.on("error", failed);
  client.connect().catch(() => undefined); // The client retries by itself.
  try {
    await promise;
  } finally {
    client.off("ready", ready).off("error", failed);
  }
}

/** Closes the connection permanently and logs nothing. */
export function disconnect(client: Redis): void {
  client.removeAllListeners("close");
  client.disconnect();
}
