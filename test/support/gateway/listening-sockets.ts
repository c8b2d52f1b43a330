/** Opens a Socket.IO server without the gateway, and sockets that record the events they receive, for tests of live delivery. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type DefaultEventsMap, type Socket as ServerSocket } from "socket.io";
import { io as connect, type Socket } from "socket.io-client";
import type { ServerEvents } from "../../../services/gateway/socket/server-events.ts";
import type { Received } from "../people/person.ts";

export interface ReceivedSocketEvent {
  readonly event: string;
  readonly data: Received;
}
export interface ListeningSocket {
  readonly server: ServerSocket<DefaultEventsMap, ServerEvents, object>;
  readonly client: Socket;
  readonly received: ReceivedSocketEvent[];
}

export interface ListeningSockets {
  readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  /** Connects a socket. */
  connect(): Promise<ListeningSocket>;
  close(): Promise<void>;
}

export async function openListeningSockets(): Promise<ListeningSockets> {
  const http = createServer();
  const io: ListeningSockets["io"] = new Server(http, { serveClient: false });
  const clients: Socket[] = [];
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    io,
    async connect() {
      const client = connect(url, { transports: ["websocket"], forceNew: true, reconnection: false });
      clients.push(client);
      const received: ReceivedSocketEvent[] = [];
      client.onAny((event: string, data: unknown) => received.push({ event, data }));
      await new Promise<void>((resolve) => client.once("connect", resolve));
      return { server: io.sockets.sockets.get(client.id!)!, client, received };
    },
    async close() {
      for (const client of clients) client.close();
      await io.close();
    },
  };
}
