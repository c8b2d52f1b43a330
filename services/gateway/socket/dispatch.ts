/**
 * What happens to an event of the table: limit, validate, answer. Whatever a client sends, it gets an acknowledgement, or the
 * event `error` when it asked for none.
 */
import type { Logger, Span } from "moleculer";
import { beginRequest } from "../../../core/broker/tracing/requests.ts";
import { Invalid, NotFound } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { inRequest } from "../../../core/request-context.ts";
import { publicError, socketError } from "../http/errors.ts";
import { noteRefusal } from "../refusals.ts";
import { spend, type EventRow, type EventSurroundings } from "./events.ts";
import type { PersonSocket } from "./person.ts";

type Acknowledge = (answer: object) => void;

/** The acknowledgement callback is always the last argument. */
function split(args: readonly unknown[]): { payload: unknown; acknowledge: Acknowledge | undefined } {
  const last = args.at(-1);
  return typeof last === "function"
    ? { payload: args.length > 1 ? args[0] : undefined, acknowledge: last as Acknowledge }
    : { payload: args[0], acknowledge: undefined };
}

function isPlain(payload: unknown): payload is Record<string, unknown> {
  return typeof payload === "object" && payload !== null && Object.getPrototypeOf(payload) === Object.prototype;
}

/** Answers one event of a socket. Never rejects. */
export const dispatch: Dispatch = (row, around, log, socket, args) =>
  beginRequest(around.broker, { requestId: newId(), name: `socket ${row.event}`, service: "gateway" }, (span) =>
    answer(row, around, log, socket, args, span),
  );
type Dispatch = (row: EventRow, around: EventSurroundings, log: Logger, socket: PersonSocket, args: readonly unknown[]) => Promise<void>;

async function answer(...[row, around, log, socket, args, span]: [...Parameters<Dispatch>, span: Span | undefined]): Promise<void> {
  const { payload, acknowledge } = split(args);
  try {
    const refusal = spend(around, row.counts, socket.data.session.user.id);
    if (refusal !== undefined && row.counts === "others") throw refusal;
    if (!isPlain(payload)) throw new Invalid("The payload must be an object");
    row.check(payload);
    const { data, afterwards } = await row.answer(around, socket, payload, refusal);
    acknowledge?.({ ok: true, data });
    afterwards?.();
  } catch (error) {
    refuse(error, { around, log, socket, event: row.event }, acknowledge);
    span?.addTags({ "error.code": publicError(error).code });
  }
}

/** Answers an event that is not in the table. */
export function refuseUnknown(around: EventSurroundings, log: Logger, socket: PersonSocket, args: readonly unknown[]): void {
  const refusal = spend(around, "others", socket.data.session.user.id);
  const asked = { around, log, socket, event: "(no such event)" };
  inRequest({ requestId: newId() }, () => refuse(refusal ?? new NotFound("No such event"), asked, split(args).acknowledge));
}

interface Asked {
  readonly around: EventSurroundings;
  readonly log: Logger;
  readonly socket: PersonSocket;
  readonly event: string;
}

function refuse(error: unknown, { around, log, socket, event }: Asked, acknowledge: Acknowledge | undefined): void {
  const { session, client } = socket.data;
  noteRefusal(around, { userId: session.user.id, client }, `socket ${event}`, error);
  const told = socketError(error);
  if (told.code === "INTERNAL") log.error({ err: error, userId: session.user.id }, "An event failed");
  if (acknowledge === undefined) socket.emit("error", told.message);
  else acknowledge({ ok: false, error: told });
}
