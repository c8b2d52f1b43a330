/**
 * Dispatches clients' events: limits, validates, answers. Every event gets an acknowledgement, or an `error` event if the client
 * passed no callback.
 */
import type { Span } from "moleculer";
import { startRequest } from "../../../core/broker/tracing/requests.ts";
import { Invalid, NotFound } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { inRequest } from "../../../core/request-context.ts";
import { publicError, socketError } from "../shared/errors.ts";
import { logRefusal } from "../shared/refusal-log.ts";
import { rateLimitRefusal, type ClientEventRow, type SocketEventContext } from "./client-events.ts";
import type { UserSocket } from "./socket-state.ts";

type AcknowledgeCallback = (answer: object) => void;

/** Socket.IO passes the acknowledgement callback as the last argument. */
function splitArguments(args: readonly unknown[]): { payload: unknown; acknowledge: AcknowledgeCallback | undefined } {
  const last = args.at(-1);
  return typeof last === "function"
    ? { payload: args.length > 1 ? args[0] : undefined, acknowledge: last as AcknowledgeCallback }
    : { payload: args[0], acknowledge: undefined };
}

function isPlainObject(payload: unknown): payload is Record<string, unknown> {
  return typeof payload === "object" && payload !== null && Object.getPrototypeOf(payload) === Object.prototype;
}

/** Answers an event of the table. Never rejects. */
export const dispatch: Dispatch = (row, context, socket, args) =>
  startRequest(context.broker, { requestId: newId(), name: `socket ${row.event}`, service: "gateway" }, (span) =>
    answerEvent(row, context, socket, args, span),
  );
type Dispatch = (row: ClientEventRow, context: SocketEventContext, socket: UserSocket, args: readonly unknown[]) => Promise<void>;

async function answerEvent(...[row, context, socket, args, span]: [...Parameters<Dispatch>, span: Span | undefined]): Promise<void> {
  const { payload, acknowledge } = splitArguments(args);
  try {
    const refusal = rateLimitRefusal(context, row.limit, socket.data.session.user.id);
    if (refusal !== undefined && row.limit === "others") throw refusal;
    if (!isPlainObject(payload)) throw new Invalid("The payload must be an object");
    row.check(payload);
    const { data, onAcknowledged } = await row.answer(context, socket, payload, refusal);
    acknowledge?.({ ok: true, data });
    onAcknowledged?.();
  } catch (error) {
    refuseEvent(error, { context, socket, event: row.event }, acknowledge);
    span?.addTags({ "error.code": publicError(error).code });
  }
}

/** Refuses an event that is not in the table. */
export function refuseUnknown(context: SocketEventContext, socket: UserSocket, args: readonly unknown[]): void {
  const refusal = rateLimitRefusal(context, "others", socket.data.session.user.id);
  const inProgress = { context, socket, event: "(no such event)" };
  inRequest({ requestId: newId() }, () =>
    refuseEvent(refusal ?? new NotFound("No such event"), inProgress, splitArguments(args).acknowledge),
  );
}

interface EventInProgress {
  readonly context: SocketEventContext;
  readonly socket: UserSocket;
  readonly event: string;
}

function refuseEvent(error: unknown, { context, socket, event }: EventInProgress, acknowledge: AcknowledgeCallback | undefined): void {
  const { session, client } = socket.data;
  logRefusal(context, { userId: session.user.id, client }, `socket ${event}`, error);
  const failure = socketError(error);
  if (failure.code === "INTERNAL") context.log.error({ err: error, userId: session.user.id }, "An event failed");
  if (acknowledge === undefined) socket.emit("error", failure.message);
  else acknowledge({ ok: false, error: failure });
}
