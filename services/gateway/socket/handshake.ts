/** Who may open a socket: a page of an allowed origin, with a live session's token from the cookie or `auth: {token}`. */
import type { Socket } from "socket.io";
import { Forbidden, Unauthenticated } from "../../../core/errors.ts";
import { inRequest } from "../../../core/request-context.ts";
import { addressKey } from "../http/address.ts";
import { requests, spend } from "../http/allowances.ts";
import type { HttpRequest } from "../http/answer.ts";
import { tokenOf } from "../http/credential.ts";
import { socketError } from "../http/errors.ts";
import type { Surroundings } from "../http/pipeline.ts";
import type { Person } from "./person.ts";
import { Told } from "./told.ts";
import { Typed } from "./typed.ts";

const longestDevice = 200;

/**
 * Verifies a handshake.
 * @throws Error  `connect_error` with our message and, as `data`, `{code, message, requestId}`
 */
export function identify(around: Surroundings, socket: Socket): Promise<Person> {
  const { requestId } = socket.request as HttpRequest;
  return inRequest({ requestId }, () => personOf(around, socket));
}

async function personOf(around: Surroundings, { request, handshake }: Socket): Promise<Person> {
  try {
    if (!around.origins.isAllowed(request)) throw new Forbidden("This origin may not call");
    const address = around.addressOf(request);
    const { token: given } = handshake.auth as { token?: unknown };
    const token = typeof given === "string" && given !== "" ? given : tokenOf(request);
    const session = around.sessions.check(token);
    if (session === undefined) {
      await spend(around.limits, requests, addressKey(address));
      throw new Unauthenticated(token === undefined ? "No token" : "Invalid or expired token");
    }
    const client = { device: (request.headers["user-agent"] ?? "").slice(0, longestDevice), address };
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
    const told = socketError(error);
    throw Object.assign(new Error(told.message), { data: told });
  }
}
