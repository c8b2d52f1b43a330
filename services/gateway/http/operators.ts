/** Serves `/health`, `/ready` and `/metrics` at the gateway. `/metrics` answers local requests only, and none in a mesh. */
import type { ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { operatorResponse } from "../../../core/node/admin-server.ts";
import { modeFactsOf } from "../../../core/config/mode.ts";
import { NotFound } from "../../../core/errors.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { isLocalPeer } from "../shared/address.ts";
import type { HttpRequest } from "./request/http-request.ts";

export const operatorPaths = ["/health", "/ready", "/metrics"] as const;

export async function answerOperator(broker: ServiceBroker, request: HttpRequest, response: ServerResponse): Promise<void> {
  const { path } = request;
  const isHidden = path === "/metrics" && !(modeFactsOf(portsOf(broker).config).gatewayServesMetrics && isLocalPeer(request));
  const answer = isHidden ? undefined : await operatorResponse(broker, path);
  if (answer === undefined) throw new NotFound("No such route");
  response.statusCode = answer.status;
  response.setHeader("Content-Type", answer.type);
  response.end(answer.body);
}
