/**
 * A balancer before one server, as an HTTP proxy is: it keeps its clients' connections, and asks the server anew for each request. So
 * nothing is asked over a connection that a server is just closing.
 */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type RequestOptions } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface Balancer {
  readonly url: string;
  /** What comes from now on goes to this server; what is under way stays where it is. */
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
  const balancer = createServer((asked, answer) => {
    const onward = request(forwarded(asked), (came) => {
      const headers = { ...came.headers };
      delete headers.connection;
      answer.writeHead(came.statusCode!, headers);
      came.pipe(answer);
      came.on("error", () => answer.destroy());
    });
    onward.on("error", ({ message }) => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end(message)));
    asked.pipe(onward);
  });
  // Its clients give up their idle connections before it does.
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
