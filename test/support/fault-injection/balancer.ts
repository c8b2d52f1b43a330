/**
 * A load balancer in front of one server. It keeps its clients' connections open, and opens a new connection to the server for each request,
 * so that no request uses a connection that the server is closing.
 */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type RequestOptions } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface Balancer {
  readonly url: string;
  /** Sends new requests and connections to this server. Those in progress stay where they are. */
  readonly aim: (server: string) => void;
  readonly close: () => Promise<void>;
}

/** @param server  URL with host and port */
export async function openBalancer(server: string): Promise<Balancer> {
  let target = new URL(server);
  const sockets = new Set<Socket>();
  const forwarded = ({ method, url, headers }: IncomingMessage): RequestOptions => ({
    host: target.hostname,
    port: target.port,
    ...(method === undefined ? {} : { method }),
    ...(url === undefined ? {} : { path: url }),
    headers: { ...headers, connection: "close" },
    agent: false,
  });
  const balancer = createServer((incoming, answer) => {
    const onward = request(forwarded(incoming), (response) => {
      const headers = { ...response.headers };
      delete headers.connection;
      answer.writeHead(response.statusCode!, headers);
      response.pipe(answer);
      response.on("error", () => answer.destroy());
    });
    onward.on("error", ({ message }) => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end(message)));
    incoming.pipe(onward);
  });
  // Clients close their idle connections before the balancer does.
  balancer.keepAliveTimeout = 600_000;
  balancer.on("connection", (socket) => void sockets.add(socket.on("close", () => sockets.delete(socket))));
  balancer.on("upgrade", ({ method, url, rawHeaders }, client: Socket, head) => {
    const onward = connect(Number(target.port), target.hostname, () => {
      const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []));
      onward.write(`${method} ${url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      client.pipe(onward).pipe(client);
    });
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        onward.destroy();
      });
    }
  });
  balancer.listen(0, "127.0.0.1");
  await once(balancer, "listening");
  return {
    url: `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`,
    aim: (next) => (target = new URL(next)),
    async close() {
      balancer.close();
      for (const socket of sockets) socket.destroy();
      await once(balancer, "close");
    },
  };
}
