/** The socket half of the gateway: moleculer-io's server on the gateway's HTTP server, the table of events, live delivery. */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Logger, ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import { rateLimited } from "../http/allowances.ts";
import type { HttpRequest } from "../http/answer.ts";
import { enter } from "../http/entry.ts";
import type { Surroundings } from "../http/pipeline.ts";
import { clientOf } from "../refusals.ts";
import { allowance, unlimited, type Allowance } from "./allowance.ts";
import { dispatch, refuseUnknown } from "./dispatch.ts";
import { events, type EventSurroundings } from "./events.ts";
import { Live } from "./live.ts";
import { startLooking } from "./look.ts";
import type { PersonSocket } from "./person.ts";
import { startTellingPositions } from "./positions.ts";
import { endSession, keepUp, sendAway } from "./upkeep.ts";

/** The gateway service, as far as its sockets know it. */
interface Gateway {
  readonly broker: ServiceBroker;
  readonly logger: Logger;
  readonly server: HttpServer;
  readonly io: Server;
  readonly around: Surroundings;
}
export interface Sockets extends EventSurroundings {
  /** Sends all sockets away, to come back elsewhere. */
  close(): Promise<void>;
}

/** New connections from one address: offices share one, and all of them come back after a restart. */
const connections = { perSecond: 50, burst: 300 } as const;
/** Larger frames cut the socket. */
const maxFrameBytes = 1_000_000;
/** Sockets are sent away over this time when a mesh node stops. */
const jitterMs = 1000;

const known = new Set(events.map(({ event }) => event));

/** moleculer-io's settings: one namespace, the handshake's check, a handler for each event of the table. */
export const socketSettings = {
  options: { path: "/socket.io/", maxHttpBufferSize: maxFrameBytes, serveClient: false, connectTimeout: 10_000 },
  namespaces: {
    "/": {
      authorization: true,
      events: Object.fromEntries(
        events.map((row) => [
          row.event,
          function (this: PersonSocket & { $service: { sockets: Sockets; logger: Logger } }, ...args: unknown[]) {
            const { sockets, logger } = this.$service;
            dispatch(row, sockets, logger, this, args).catch((error: unknown) => logger.error(error));
          },
        ]),
      ),
    },
  },
};

/** Opens the gateway to sockets; call it before the HTTP server listens. */
export function openSockets({ broker, logger: log, server, io, around }: Gateway): Sockets {
  const { config, clock, feed } = portsOf(broker);
  const isLimited = config.LIMITS === "on";
  const live = new Live(broker, io, feed, log);
  const namespace = io.of("/");

  openSecondPath(server);
  guardConnections(io, around, isLimited ? allowance(connections.perSecond, connections.burst) : unlimited);
  const sockets: EventSurroundings = {
    broker,
    security: around.security,
    live,
    sessions: around.sessions,
    messages: isLimited ? allowance(10, 30) : unlimited,
    others: isLimited ? allowance(10, 20) : unlimited,
  };
  namespace.on("connection", (socket) => welcome(around, sockets, log, socket as PersonSocket));
  around.sessions.onRevoked(({ sessionId, reason }) => {
    for (const socket of namespace.sockets.values() as Iterable<PersonSocket>) {
      if (socket.data.session.user.sessionId === sessionId) endSession(socket, reason);
    }
  });
  around.sessions.onNewEra((era) => {
    for (const socket of namespace.sockets.values() as Iterable<PersonSocket>) {
      if (socket.data.session.era !== era) endSession(socket, "revoked");
    }
  });
  const stopUpkeep = keepUp(broker, namespace, () => clock.now());
  const stopTelling = startTellingPositions(() => live.rooms.all());
  const stopLooking = config.mesh === undefined ? undefined : startLooking(broker, live, log);
  return {
    ...sockets,
    async close() {
      stopLooking?.();
      stopTelling();
      stopUpkeep();
      await sendAway(namespace, config.mesh === undefined ? 0 : jitterMs);
    },
  };
}

/**
 * Connections get the headers every answer bears, CORS among them. A handshake refused by Socket.IO makes its client give up; a
 * connection that fails makes it come again.
 */
function guardConnections(io: Server, around: Surroundings, allowed: Allowance): void {
  io.engine.use((request: HttpRequest, response: ServerResponse, next: () => void) => {
    request.requestId = newId();
    if (enter(around, request, response)) next();
  });
  io.engine.opts.allowRequest = (request, decide) => {
    const isNew = !new URLSearchParams(request.url?.split("?", 2)[1]).has("sid");
    const client = clientOf(around, request);
    if (isNew && allowed.take(addressKey(client.address)) > 0) {
      const limit = "socket-connections";
      rateLimited.of().inc({ limit });
      around.security.record("limit_reached", { client }, { request: "socket connection", limit });
      decide("Too many connections", false);
    } else decide("Starting, try again", around.sessions.isReady());
  };
}

/** Two paths lead to one server: a second Engine.IO server on the same HTTP server would break the first. */
function openSecondPath(server: HttpServer): void {
  const rewrite = (request: IncomingMessage) => {
    if (request.url?.startsWith("/chat/socket.io/") === true) request.url = request.url.slice("/chat".length);
  };
  server.prependListener("request", rewrite);
  server.prependListener("upgrade", rewrite);
}

function welcome(around: Surroundings, sockets: EventSurroundings, log: Logger, socket: PersonSocket): void {
  const { live } = sockets;
  // A client may name an event `error`, and an emitter without a listener for that would throw.
  socket.on("error", () => undefined);
  socket.onAny((event: unknown, ...args: unknown[]) => {
    if (!known.has(event as string)) refuseUnknown(sockets, log, socket, args);
  });
  // This process stood still since the handshake: the client is to come again.
  if (!around.sessions.isReady()) {
    socket.conn.close();
    return;
  }
  // Ended between the handshake and here: nobody would cut it any more.
  if (around.sessions.hasEnded(socket.data.session)) {
    endSession(socket, "revoked");
    return;
  }
  socket.on("disconnecting", () => live.remove(socket));
  live.add(socket);
}
