/**
 * A TCP proxy between a test and a real server. It can be cut (connections break, new ones are refused), frozen (data is lost), or hold back
 * the data of one side.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface TcpProxy {
  /** The server's URL with the proxy's address. */
  readonly url: string;
  /** The number of chunks received from clients, about one per write. */
  readonly writes: () => number;
  readonly cut: () => Promise<void>;
  readonly freeze: () => void;
  /** Stops reading from this side. After `mend` its data passes. */
  readonly hold: (from: "client" | "server") => void;
  /** Ends a cut or a freeze for new connections, and releases held data. */
  readonly mend: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * @param server  URL with host and port
 * @param localAddress  the local address of connections to the server. Default any
 */
export async function openTcpProxy(server: string, localAddress?: string): Promise<TcpProxy> {
  const target = new URL(server);
  const sockets = new Map<Socket, "client" | "server">();
  const held = new Set<"client" | "server">();
  let writes = 0;
  let isFrozen = false;

  const proxy = createServer((client) => {
    const upstream = connect({ port: Number(target.port || 80), host: target.hostname, ...(localAddress && { localAddress }) });
    for (const [socket, other, side] of [
      [client, upstream, "client"],
      [upstream, client, "server"],
    ] as const) {
      sockets.set(socket, side);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        if (!isFrozen) other.destroy();
      });
      socket.on("data", (data) => {
        if (socket === client) writes += 1;
        if (!isFrozen) other.write(data);
      });
      if (held.has(side)) socket.pause();
    }
  });
  const listen = async (port: number): Promise<void> => {
    proxy.listen(port, "127.0.0.1");
    await once(proxy, "listening");
  };
  await listen(0);
  const { port } = proxy.address() as AddressInfo;
  const url = Object.assign(new URL(server), { hostname: "127.0.0.1", port: String(port) });

  async function cut(): Promise<void> {
    const closed = proxy.listening ? once(proxy, "close") : undefined;
    proxy.close();
    for (const socket of sockets.keys()) socket.destroy();
    await closed;
  }

  return {
    url: url.href,
    writes: () => writes,
    cut,
    freeze() {
      isFrozen = true;
    },
    hold(from) {
      held.add(from);
      for (const [socket, side] of sockets) if (side === from) socket.pause();
    },
    async mend() {
      isFrozen = false;
      held.clear();
      for (const socket of sockets.keys()) socket.resume();
      if (!proxy.listening) await listen(port);
    },
    close: cut,
  };
}
