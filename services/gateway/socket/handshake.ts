/**
 * Authenticates handshakes: the origin must be allowed, and the token, from the cookie or `auth: {token}`, must be of a live session.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "socket.io";
import { Forbidden, Unauthenticated } from "../../../core/errors.ts";
import { inRequest } from "../../../core/request-context.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import { requestsPerCaller, enforceLimit } from "../shared/limits.ts";
import { tokenOf } from "../shared/credential.ts";
import { socketError } from "../shared/errors.ts";
import { clientOf } from "../shared/address.ts";
import type { GatewayContext } from "../shared/context.ts";
import { logRefusal } from "../shared/refusal-log.ts";
import type { SocketState } from "./socket-state.ts";
import { KnownMemberships } from "./known-memberships.ts";
import { TypingThrottle } from "./inbound/typing-throttle.ts";

/** The request of a handshake after `prepareRequest`. */
interface IdentifiedRequest extends IncomingMessage {
  requestId: string;
}

/**
 * Authenticates a handshake.
 * @throws Error  Socket.IO emits it as `connect_error`, with the error's message and `{code, message, requestId}` as `data`
 */
export function authenticateHandshake(context: GatewayContext, socket: Socket): Promise<SocketState> {
  const { requestId } = socket.request as IdentifiedRequest;
  return inRequest({ requestId }, () => initialState(context, socket));
}

async function initialState(context: GatewayContext, { request, handshake }: Socket): Promise<SocketState> {
  const client = clientOf(context, request);
  try {
    if (!context.origins.isAllowed(request)) throw new Forbidden("This origin is not allowed");
    const { token: fromClient } = handshake.auth as { token?: unknown };
    const token = typeof fromClient === "string" && fromClient !== "" ? fromClient : tokenOf(request);
    const session = context.sessions.check(token);
    if (session === undefined) {
      await enforceLimit(context.limits, requestsPerCaller, addressKey(client.address));
      throw new Unauthenticated(token === undefined ? "No token" : "Invalid or expired token");
    }
    return {
      session,
      client,
      isSubscribed: false,
      knownMemberships: new KnownMemberships(),
      leftChats: new Set(),
      pendingNotes: undefined,
      sendQueues: new Map(),
      typingThrottle: new TypingThrottle(),
    };
  } catch (error) {
    logRefusal(context, { client }, "socket handshake", error);
    const socketFailure = socketError(error);
    throw Object.assign(new Error(socketFailure.message), { data: socketFailure });
  }
}
