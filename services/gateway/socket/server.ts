/** The socket half of the gateway: moleculer-io's server on the gateway's HTTP server, the table of events, live delivery. */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Server } from "socket.io";
import { deploymentOf } from "../../../core/config/deployment.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import { rateLimited, socketLimitName, socketLimits } from "../shared/limits.ts";
import { clientOf } from "../shared/address.ts";
import type { GatewayContext } from "../shared/context.ts";
import { tokenBucket, unlimited, type LocalRateLimiter } from "./inbound/rate-limit.ts";
import { dispatch, refuseUnknown } from "./dispatch.ts";
import { clientEvents, type SocketEventContext } from "./client-events.ts";
import { LiveDelivery } from "./delivery/delivery.ts";
import { startPolling } from "./delivery/poll-missed-changes.ts";
import type { UserSocket } from "./socket-state.ts";
import { startEmittingPositions } from "./delivery/positions.ts";
import { endSession, startMonitoring, disconnectGradually } from "./connection-monitor.ts";

interface SocketsContext {
  readonly server: HttpServer;
  readonly io: Server;
  readonly context: GatewayContext;
  /** Gives a request its id, and its response the headers of every response; false: it has been answered. */
  readonly prepareRequest: (request: IncomingMessage, response: ServerResponse) => boolean;
}
export interface Sockets extends SocketEventContext {
  /** Sends all sockets away, to come back elsewhere. */
  close(): Promise<void>;
}

/** Larger frames cut the socket. */
const maxFrameBytes = 1_000_000;

const knownEvents = new Set(clientEvents.map(({ event }) => event));

/** moleculer-io's settings: one namespace, the handshake's check, a handler for each event of the table. */
export const socketSettings = {
  options: { path: "/socket.io/", maxHttpBufferSize: maxFrameBytes, serveClient: false, connectTimeout: 10_000 },
  namespaces: {
    "/": {
      authorization: true,
      events: Object.fromEntries(
        clientEvents.map((row) => [
          row.event,
          function (this: UserSocket & { $service: { sockets: Sockets } }, ...args: unknown[]) {
            const { sockets } = this.$service;
            dispatch(row, sockets, this, args).catch((error: unknown) => sockets.log.error(error));
          },
        ]),
      ),
    },
  },
};

/** Opens the gateway to sockets; call it before the HTTP server listens. */
export function openSockets({ server, io, context, prepareRequest }: SocketsContext): Sockets {
  const { broker, log, security, sessions } = context;
  const { config, clock, feed } = portsOf(broker);
  const { disconnectSpreadMs, isFeedLossy } = deploymentOf(config);
  const limiter = (limit: keyof typeof socketLimits): LocalRateLimiter => {
    const { perSecond, burst } = socketLimits[limit];
    return config.LIMITS === "on" ? tokenBucket(perSecond, burst) : unlimited;
  };
  const delivery = new LiveDelivery(broker, io, feed, log);
  const namespace = io.of("/");

  rewriteChatPath(server);
  io.engine.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
    if (prepareRequest(request, response)) next();
  });
  guardConnections(io, context, limiter("connections"));
  const eventContext: SocketEventContext = {
    broker,
    log,
    security,
    sessions,
    delivery,
    limiters: { messages: limiter("messages"), others: limiter("others") },
  };
  namespace.on("connection", (socket) => acceptSocket(eventContext, socket as UserSocket));
  sessions.onRevoked(({ sessionId, reason }) => {
    for (const socket of namespace.sockets.values() as Iterable<UserSocket>) {
      if (socket.data.session.user.sessionId === sessionId) endSession(socket, reason);
    }
  });
  sessions.onNewEra((era) => {
    for (const socket of namespace.sockets.values() as Iterable<UserSocket>) {
      if (socket.data.session.era !== era) endSession(socket, "revoked");
    }
  });
  const stopMonitoring = startMonitoring(broker, namespace, () => clock.now());
  const stopPositions = startEmittingPositions(() => delivery.rooms.all());
  const stopPolling = isFeedLossy ? startPolling(broker, delivery, log) : undefined;
  return {
    ...eventContext,
    async close() {
      stopPolling?.();
      stopPositions();
      stopMonitoring();
      await disconnectGradually(namespace, disconnectSpreadMs);
    },
  };
}

/**
 * Limits new connections per address, and refuses them until sessions are known. A client gives up on a refused handshake of Socket.IO,
 * but retries a failed connection.
 */
function guardConnections(io: Server, context: GatewayContext, limiter: LocalRateLimiter): void {
  io.engine.opts.allowRequest = (request, decide) => {
    const isNew = !new URLSearchParams(request.url?.split("?", 2)[1]).has("sid");
    const client = clientOf(context, request);
    if (isNew && limiter.consume(addressKey(client.address)) > 0) {
      const limit = socketLimitName("connections");
      rateLimited.of().inc({ limit });
      context.security.record("limit_reached", { client }, { request: "socket connection", limit });
      decide("Too many connections", false);
    } else decide("Starting, try again", context.sessions.isReady());
  };
}

/** Two paths lead to one server: a second Engine.IO server on the same HTTP server would break the first. */
function rewriteChatPath(server: HttpServer): void {
  const rewrite = (request: IncomingMessage) => {
    if (request.url?.startsWith("/chat/socket.io/") === true) request.url = request.url.slice("/chat".length);
  };
  server.prependListener("request", rewrite);
  server.prependListener("upgrade", rewrite);
}

function acceptSocket(context: SocketEventContext, socket: UserSocket): void {
  const { delivery, sessions } = context;
  // A client may name an event `error`, and an emitter without a listener for that would throw.
  socket.on("error", () => undefined);
  socket.onAny((event: unknown, ...args: unknown[]) => {
    if (!knownEvents.has(event as string)) refuseUnknown(context, socket, args);
  });
  // This process stood still since the handshake: the client is to come again.
  if (!sessions.isReady()) {
    socket.conn.close();
    return;
  }
  // Ended between the handshake and here: nobody would cut it any more.
  if (sessions.hasEnded(socket.data.session)) {
    endSession(socket, "revoked");
    return;
  }
  socket.on("disconnecting", () => delivery.removeSocket(socket));
  delivery.addSocket(socket);
}
