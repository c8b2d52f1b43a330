/**
 * Wires the gateway: moleculer-web finds a request's route, and the row's pipeline answers it. The service creates the HTTP server before
 * it starts, so that sockets can attach to it, and listens only when everything it needs is available.
 */
import type { Server, ServerResponse } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import ApiGateway from "moleculer-web";
import type { Server as SocketServer } from "socket.io";
import { abortStart } from "../../core/node/lifecycle.ts";
import { operatorLoggerName } from "../../core/node/logger.ts";
import { addReadinessCheck, servicesAvailable } from "../../core/node/readiness.ts";
import { startRequest } from "../../core/broker/tracing/requests.ts";
import type { Config } from "../../core/config/config.ts";
import { modeFactsOf } from "../../core/config/mode.ts";
import { NotFound, StartError } from "../../core/errors.ts";
import { newId } from "../../core/ids.ts";
import { portsOf } from "../../core/node/ports.ts";
import { securityLog } from "../../core/security/log.ts";
import { calledActions } from "./called-actions.ts";
import { answerDocs, docsPaths } from "./docs/serve-docs.ts";
import { addressResolver, clientOf } from "./shared/address.ts";
import type { GatewayContext } from "./shared/context.ts";
import { routeName, type HttpRequest, type PathParams } from "./http/request/http-request.ts";
import { answerError, tagSpan } from "./http/response/answer.ts";
import { prepareRequest } from "./http/prepare-request.ts";
import { answerOperator, operatorPaths } from "./http/operators.ts";
import { origins } from "./shared/origins.ts";
import { pipeline } from "./http/pipeline.ts";
import { routes } from "./http/routes/index.ts";
import { close, listen, makeServer } from "./http/server.ts";
import { logRefusal } from "./shared/refusal-log.ts";
import { followSessions } from "./shared/sessions.ts";
import { authenticateHandshake } from "./socket/handshake.ts";
import type { UserSocket } from "./socket/socket-state.ts";
import { openSockets, socketSettings, type Sockets } from "./socket/server.ts";

interface GatewayService extends Service {
  server: Server;
  context: GatewayContext;
  /** Set by moleculer-io. */
  io: SocketServer;
  sockets: Sockets;
  httpHandler(request: HttpRequest, response: ServerResponse): Promise<void>;
  route(request: HttpRequest, response: ServerResponse): Promise<void>;
  /** From moleculer-web. */
  addRoute(route: object): void;
  resolveAlias(path: string, method: string): { readonly alias: Alias; readonly params: PathParams } | false;
}
interface Alias {
  readonly fullPath: string;
  readonly handler: RouteHandler;
}
type RouteHandler = (this: GatewayService, request: HttpRequest, response: ServerResponse) => Promise<void>;

const tableAliases = routes.map((row): [string, RouteHandler] => {
  const respond = pipeline(row);
  return [
    `${row.method} ${row.path}`,
    function (request, response) {
      return respond(this.context, request, response);
    },
  ];
});
const operatorAliases = operatorPaths.map((path): [string, RouteHandler] => [
  `GET ${path}`,
  function (request, response) {
    return answerOperator(this.broker, request, response);
  },
]);
const documentAliases = docsPaths.map((path): [string, RouteHandler] => [
  `GET ${path}`,
  function (request, response) {
    return answerDocs(path, this.context, request, response);
  },
]);

const gateway: ServiceSchema<object, object, object, GatewayService> = {
  name: "gateway",
  mixins: [ApiGateway, SocketIO as Partial<ServiceSchema>],
  settings: {
    // moleculer-web does not create the server: the port is known only in `started`, and an error there ends the start in one line.
    server: false,
    routes: null,
    logRouteRegistration: null,
    io: socketSettings,
  },
  // moleculer-web's and moleculer-io's actions are disabled. `rest` ran each request as an action, which doubled the cost of a cached read.
  actions: { rest: false, listAliases: false, addRoute: false, removeRoute: false, call: false, broadcast: false, getClients: false },
  methods: {
    /** moleculer-io calls this for every handshake. */
    async socketAuthorize(socket: UserSocket) {
      Object.assign(socket.data, await authenticateHandshake(this.context, socket));
    },
    /** Replaces moleculer-web's, which would expose internal messages and run the request as an action. */
    httpHandler(request: HttpRequest, response: ServerResponse) {
      request.requestId = newId();
      // After SIGTERM: otherwise the client's next request might use a connection that is about to close.
      if (!this.broker.started) response.setHeader("Connection", "close");
      const begin = { requestId: request.requestId, name: "HTTP", service: "gateway" };
      return startRequest(this.broker, begin, async (span) => {
        try {
          if (prepareRequest(this.context, request, response)) await this.route(request, response);
        } catch (error) {
          const actor = { userId: request.userId, client: clientOf(this.context, request) };
          logRefusal(this.context, actor, routeName(request), error);
          answerError(this.logger, request, response, error);
        }
        if (span !== undefined) tagSpan(span, request, response);
      });
    },
    route(request: HttpRequest, response: ServerResponse): Promise<void> {
      const found = this.resolveAlias(request.path, request.method ?? "");
      if (found === false) throw new NotFound("No such route");
      request.pathParams = found.params;
      request.route = found.alias.fullPath;
      return found.alias.handler.call(this, request, response);
    },
  },
  created() {
    this.server = makeServer((request, response) => void this.httpHandler(request as HttpRequest, response));
    this.addRoute({
      path: "/",
      bodyParsers: false,
      pathToRegexpOptions: { sensitive: true },
      aliases: Object.fromEntries([...tableAliases, ...operatorAliases, ...documentAliases]),
    });
  },
  async started() {
    const { config, feed, clock, installation, limits, blobs, jwtSecrets } = portsOf(this.broker);
    const { broker, logger: log } = this;
    this.server.keepAliveTimeout = config.KEEP_ALIVE_MS;
    addReadinessCheck(broker, "services called", servicesAvailable(broker, calledActions));
    try {
      const context = {
        limits,
        blobs,
        broker,
        log,
        security: securityLog(broker),
        sessions: await followSessions({ broker, feed, clock, installation, jwtSecrets, log }),
        origins: origins(config),
        addressOf: addressResolver(config.TRUST_PROXY),
        isSecure: config.PUBLIC_URL?.startsWith("https:") ?? false,
      };
      this.context = context;
      this.sockets = openSockets({
        server: this.server,
        io: this.io,
        context,
        prepareRequest: (request, response) =>
          prepareRequest(context, Object.assign(request, { requestId: newId() }) as HttpRequest, response),
      });
      const port = await listen(this.server, config.PORT, config.HOST);
      broker.getLogger(operatorLoggerName).info(listening(config, port));
    } catch (error) {
      if (error instanceof StartError) abortStart(error.message);
      throw error;
    }
  },
  async stopped() {
    const { config } = portsOf(this.broker);
    await this.sockets.close();
    await close(this.server, modeFactsOf(config).finishRequestsMs);
    this.context.sessions.stop();
  },
};
export default gateway;

function listening(config: Config, port: number): string {
  const host = config.HOST === "0.0.0.0" || config.HOST === "::" ? "localhost" : config.HOST;
  return `Parley listens on http://${host}:${port} (${modeFactsOf(config).description})`;
}
