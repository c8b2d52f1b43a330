/** Who may open a socket: a page of an allowed origin, with a live session's token from the cookie or `auth: {token}`. */
import type { Socket } from "socket.io";
import { Forbidden, Unauthenticated } from "../../../core/errors.ts";
import { inRequest } from "../../../core/request-context.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import { requests, spend } from "../http/allowances.ts";
import type { HttpRequest } from "../http/answer.ts";
import { tokenOf } from "../http/credential.ts";
import { socketError } from "../http/errors.ts";
import type { Surroundings } from "../http/pipeline.ts";
import { clientOf, noteRefusal } from "../refusals.ts";
import type { Person } from "./person.ts";
import { Told } from "./told.ts";
import { Typed } from "./typed.ts";

/**
 * Verifies a handshake.
 * @throws Error  `connect_error` with our message and, as `data`, `{code, message, requestId}`
 */
export function identify(around: Surroundings, socket: Socket): Promise<Person> {
  const { requestId } = socket.request as HttpRequest;
  return inRequest({ requestId }, () => personOf(around, socket));
}

async function personOf(around: Surroundings, { request, handshake }: Socket): Promise<Person> {
  const client = clientOf(around, request);
  try {
    if (!around.origins.isAllowed(request)) throw new Forbidden("This origin may not call");
    const { token: given } = handshake.auth as { token?: unknown };
    const token = typeof given === "string" && given !== "" ? given : tokenOf(request);
    const session = around.sessions.check(token);
    if (session === undefined) {
      await spend(around.limits, requests, addressKey(client.address));
      throw new Unauthenticated(token === undefined ? "No token" : "Invalid or expired token");
    }
    return {
      session,
      client,
      isSubscribed: false,
      told: new Told(),
      unheard: new Set(),
      held: undefined,
      sends: new Map(),
      typed: new Typed(),
    };
  } catch (error) {
    noteRefusal(around, { client }, "socket handshake", error);
    const told = socketError(error);
    throw Object.assign(new Error(told.message), { data: told });
  }
}
