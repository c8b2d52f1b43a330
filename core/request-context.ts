/**
 * The request that the running code works for, known without passing it along: log lines, errors and calls to other nodes carry its id.
 * A request is an HTTP request, a socket event or a durable event being handled.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Span } from "moleculer";

export interface RequestContext {
  /** 24 hex digits; of a call that no request caused, a UUID. */
  readonly requestId: string;
  /** 32 hex digits, when the request is traced. */
  readonly traceId?: string;
  /** The step under way, when this node exports traces. */
  readonly span?: Span;
}

const storage = new AsyncLocalStorage<RequestContext | undefined>();

/** The request being worked for, undefined in work that no request caused. */
export const currentRequest = (): RequestContext | undefined => storage.getStore();

/** Runs this, and all that it starts, for a request. */
export const inRequest = <R>(request: RequestContext | undefined, run: () => R): R => storage.run(request, run);

/** Runs this, and all that it starts, for no request: for work that goes on long after the one that happened to start it. */
export const outsideRequests = <R>(run: () => R): R => storage.run(undefined, run);

/** The ids as log lines and errors bear them. A new object each time: the log adds to it. */
export function requestIds(): { requestId?: string; traceId?: string } {
  const current = storage.getStore();
  if (current === undefined) return {};
  const { requestId, traceId } = current;
  return traceId === undefined ? { requestId } : { requestId, traceId };
}

/** A request's trace has its id, in the 32 hex digits that tracing systems use. */
export const traceIdOf = (requestId: string): string => requestId.replaceAll("-", "").padStart(32, "0").slice(-32);

/** Where a durable event was announced. */
export interface Origin {
  readonly requestId: string;
  /** The announcing span, when that request is traced. */
  readonly spanId?: string;
}

/** The origin of what is announced now; undefined in work that no request caused. */
export function currentOrigin(): Origin | undefined {
  const current = storage.getStore();
  if (current === undefined) return undefined;
  const { requestId, span } = current;
  return span === undefined ? { requestId } : { requestId, spanId: span.id };
}

/** Runs the handling of a durable event for the request that announced it. */
export function inOrigin<R>(origin: Origin | undefined, run: () => R): R {
  if (origin === undefined) return outsideRequests(run);
  const { requestId, spanId } = origin;
  return inRequest(spanId === undefined ? { requestId } : { requestId, traceId: traceIdOf(requestId) }, run);
}
