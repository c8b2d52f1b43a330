/**
 * Serves operators: `/health` (the process is up), `/ready` (the node can serve) and `/metrics`. In embedded mode the gateway serves these
 * too, and there is an admin server only if its port is set.
 */
import { createServer, type Server } from "node:http";
import type { ServiceBroker } from "moleculer";
import { StartError } from "../errors.ts";
import { metricsText } from "./node-metrics.ts";
import { readiness } from "./readiness.ts";

interface OperatorResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
const json = (status: number, value: unknown): OperatorResponse => ({
  status,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value),
});

/** The response to an operator's request; undefined for any other path. The gateway uses it too. */
export async function operatorResponse(broker: ServiceBroker, path: string): Promise<OperatorResponse | undefined> {
  if (path === "/health") return json(200, { status: "up" });
  if (path === "/ready") {
    const { ready, parts } = await readiness(broker);
    return json(ready ? 200 : 503, { status: ready ? "ready" : "not ready", parts });
  }
  if (path === "/metrics") return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: await metricsText(broker) };
  return undefined;
}

/**
 * Starts the admin server.
 * @param port  0 for any free port
 * @throws StartError  the port is in use
 */
export function openAdminServer(broker: ServiceBroker, port: number, host: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    void operatorResponse(broker, path)
      .catch(() => json(500, { message: "Internal error", code: "INTERNAL" }))
      .then((answer = json(404, { message: "Not found", code: "NOT_FOUND" })) => {
        response.writeHead(answer.status, { "content-type": answer.type }).end(answer.body);
      });
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new StartError(`the admin server can't listen on ${host}:${port}: ${error.code ?? error.message}`)),
    );
    server.listen(port, host, () => resolve(server));
  });
}
