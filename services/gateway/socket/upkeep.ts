/** What is looked after on every open socket, now and then: that its session has not expired and that it reads what it is sent. */
import type { Namespace } from "socket.io";
import type { Emitted } from "./emitted.ts";
import type { PersonSocket } from "./person.ts";

const everyMs = 1000;
/** Who lets more than this wait is cut, and syncs when back. */
const maxBufferedBytes = 4 * 1024 * 1024;

interface Connection {
  readonly writeBuffer: readonly { data?: unknown }[];
  readonly transport: { readonly socket?: { readonly bufferedAmount?: number } };
}

function bufferedBytes({ writeBuffer, transport }: Connection): number {
  let bytes = transport.socket?.bufferedAmount ?? 0;
  for (const { data } of writeBuffer) bytes += typeof data === "string" || Buffer.isBuffer(data) ? data.length : 0;
  return bytes;
}

/** Tells a socket why its session is over, and cuts it. */
export function endSession(socket: PersonSocket, reason: Emitted["sessionEnded"]["reason"]): void {
  socket.emit("sessionEnded", { reason });
  socket.disconnect(true);
}

/** @returns stops it */
export function keepUp(namespace: Namespace, now: () => number): () => void {
  const timer = setInterval(() => {
    const time = now();
    for (const socket of namespace.sockets.values() as Iterable<PersonSocket>) {
      if (socket.data.session.expiresAt <= time) endSession(socket, "expired");
      else if (bufferedBytes(socket.conn as unknown as Connection) > maxBufferedBytes) socket.conn.close(true);
    }
  }, everyMs);
  return () => clearInterval(timer);
}

/**
 * Closes the transports of all sockets, spread over some time so that their clients don't come back all at once.
 * `socket.disconnect()` would tell them not to come back at all.
 */
export async function sendAway(namespace: Namespace, withinMs: number): Promise<void> {
  const sockets = [...namespace.sockets.values()];
  await Promise.all(
    sockets.map(async ({ conn }, index) => {
      await new Promise((resolve) => setTimeout(resolve, (withinMs * index) / sockets.length));
      conn.close();
    }),
  );
}
