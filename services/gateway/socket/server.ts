/** Opens the gateway to sockets: moleculer-io's server on the gateway's HTTP server, the client events, and live delivery. */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Server } from "socket.io";
import { modeFactsOf } from "../../../core/config/mode.ts";
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
  /** Sets a request's id and the headers that every response has. @returns false when it has answered the request */
  readonly prepareRequest: (request: IncomingMessage, response: ServerResponse) => boolean;
}
export interface Sockets extends SocketEventContext {
  /** Disconnects all sockets; their clients reconnect to another node. */
  close(): Promise<void>;
}

/** A socket that sends a larger frame is disconnected. */
const maxFrameBytes = 1_000_000;

const knownEvents = new Set(clientEvents.map(({ event }) => event));

/** moleculer-io's settings: one namespace, authentication at the handshake, one handler per client event. */
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

/** Call it before the HTTP server listens. */
export function openSockets({ server, io, context, prepareRequest }: SocketsContext): Sockets {
  const { broker, log, security, sessions } = context;
  const { config, clock, feed } = portsOf(broker);
  const { disconnectSpreadMs, isFeedLossy } = modeFactsOf(config);
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
 * Limits new connections per address, and refuses them until sessions are known. Engine.IO asks only about new connections. A client
 * gives up on a refused handshake of Socket.IO, but retries a failed connection.
 */
function guardConnections(io: Server, context: GatewayContext, limiter: LocalRateLimiter): void {
  io.engine.opts.allowRequest = (request, decide) => {
    const client = clientOf(context, request);
    if (limiter.consume(addressKey(client.address)) > 0) {
      const limit = socketLimitName("connections");
      rateLimited.of().inc({ limit });
      context.security.record("limit_reached", { client }, { request: "socket connection", limit });
      decide("Too many connections", false);
    } else decide("Starting, try again", context.sessions.isReady());
  };
}

/** Maps the second path to the first. A second Engine.IO server on the same HTTP server would break the first one. */
function rewriteChatPath(server: HttpServer): void {
  const rewrite = (request: IncomingMessage) => {
    if (request.url?.startsWith("/chat/socket.io/") === true) request.url = request.url.slice("/chat".length);
  };
  server.prependListener("request", rewrite);
  server.prependListener("upgrade", rewrite);
}

function acceptSocket(context: SocketEventContext, socket: UserSocket): void {
  const { delivery, sessions } = context;
  // A client may name an event `error`, and an emitter without a listener for that throws.
  socket.on("error", () => undefined);
  socket.onAny((event: unknown, ...args: unknown[]) => {
    if (!knownEvents.has(event as string)) refuseUnknown(context, socket, args);
  });
  // This process was paused since the handshake. The client reconnects.
  if (!sessions.isReady()) {
    socket.conn.close();
    return;
  }
  // The session ended after the handshake. Nothing else would disconnect this socket any more.
  if (sessions.hasEnded(socket.data.session)) {
    endSession(socket, "revoked");
    return;
  }
  socket.on("disconnecting", () => delivery.removeSocket(socket));
  delivery.addSocket(socket);
}
