/** Monitors open sockets once a second: disconnects those whose session has expired or whose client reads too slowly. */
import type { ServiceBroker } from "moleculer";
import type { Namespace } from "socket.io";
import { gauge } from "../../../core/metrics/declare.ts";
import { refusalCounter } from "../../../core/metrics/resources.ts";
import type { ServerEventPayloads } from "./server-events.ts";
import type { UserSocket } from "./socket-state.ts";

const checkEveryMs = 1000;
/** A client that leaves more than this unread is disconnected. It syncs after reconnecting. */
const maxBufferedBytes = 4 * 1024 * 1024;
const bufferBound = refusalCounter("socket_buffer");

const openSockets = gauge("parley_sockets", "Open sockets");
const buffered = gauge(
  "parley_socket_buffered_bytes",
  "Bytes buffered for clients that have not read them yet, over all sockets; updated every second",
);

/** Engine.IO has no public way to read this: its types declare both parts private. */
function bufferedBytes(conn: UserSocket["conn"]): number {
  const transport = conn.transport as { readonly socket?: { readonly bufferedAmount?: number } };
  const packets = conn["writeBuffer"] as readonly { readonly data?: unknown }[];
  let bytes = transport.socket?.bufferedAmount ?? 0;
  for (const { data } of packets) bytes += typeof data === "string" || Buffer.isBuffer(data) ? data.length : 0;
  return bytes;
}

/** Emits why the session ended, then disconnects the socket. */
export function endSession(socket: UserSocket, reason: ServerEventPayloads["sessionEnded"]["reason"]): void {
  socket.emit("sessionEnded", { reason });
  socket.disconnect(true);
}

/** @returns stops monitoring */
export function startMonitoring(broker: ServiceBroker, namespace: Namespace, now: () => number): () => void {
  openSockets.collect(broker, () => [[{}, namespace.sockets.size]]);
  const timer = setInterval(() => {
    const time = now();
    let totalBytes = 0;
    for (const socket of namespace.sockets.values() as Iterable<UserSocket>) {
      const bytes = bufferedBytes(socket.conn);
      totalBytes += bytes;
      if (socket.data.session.expiresAt <= time) endSession(socket, "expired");
      else if (bytes > maxBufferedBytes) {
        bufferBound.countRefusal();
        socket.conn.close(true);
      }
    }
    buffered.of(broker).set(totalBytes);
  }, checkEveryMs);
  return () => clearInterval(timer);
}

/**
 * Closes the transports of all sockets, spread over `durationMs` so that their clients do not all reconnect at once. After
 * `socket.disconnect()` they would not reconnect at all.
 */
export async function disconnectGradually(namespace: Namespace, durationMs: number): Promise<void> {
  const sockets = [...namespace.sockets.values()];
  await Promise.all(
    sockets.map(async ({ conn }, index) => {
      await new Promise((resolve) => setTimeout(resolve, (durationMs * index) / sockets.length));
      conn.close();
    }),
  );
}
