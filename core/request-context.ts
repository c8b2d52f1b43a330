/**
 * Keeps the current request in asynchronous context, so that log lines, errors and calls to other nodes carry its id without passing it as
 * an argument. A request is an HTTP request, a socket event or a durable event that is being handled.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Span } from "moleculer";

export interface RequestContext {
  /** 24 hex digits; a UUID for a call that no request caused. */
  readonly requestId: string;
  /** 32 hex digits; set when the request is traced. */
  readonly traceId?: string;
  /** The current span, when this node exports traces. */
  readonly span?: Span;
}

const storage = new AsyncLocalStorage<RequestContext | undefined>();

/** The current request; undefined in work that no request caused. */
export const currentRequest = (): RequestContext | undefined => storage.getStore();

/** Runs a function, and everything it starts, in a request's context. */
export const inRequest = <R>(request: RequestContext | undefined, run: () => R): R => storage.run(request, run);

/** Runs a function, and everything it starts, without a request: for work that continues long after the request that started it. */
export const outsideRequests = <R>(run: () => R): R => storage.run(undefined, run);

/** The current request's ids for log lines and errors. Returns a new object each time, because the logger adds fields to it. */
export function requestIds(): { requestId?: string; traceId?: string } {
  const current = storage.getStore();
  if (current === undefined) return {};
  const { requestId, traceId } = current;
  return traceId === undefined ? { requestId } : { requestId, traceId };
}

/** The trace id of a request: its request id, padded to the 32 hex digits that tracing systems use. */
export const traceIdOf = (requestId: string): string => requestId.replaceAll("-", "").padStart(32, "0").slice(-32);

/** The request that announced a durable event. */
export interface Origin {
  readonly requestId: string;
  /** The span that announced the event, when the request is traced. */
  readonly spanId?: string;
}

/** The origin of events announced now; undefined in work that no request caused. */
export function currentOrigin(): Origin | undefined {
  const current = storage.getStore();
  if (current === undefined) return undefined;
  const { requestId, span } = current;
  return span === undefined ? { requestId } : { requestId, spanId: span.id };
}

/** Runs the handler of a durable event in the context of the request that announced it. */
export function inOrigin<R>(origin: Origin | undefined, run: () => R): R {
  if (origin === undefined) return outsideRequests(run);
  const { requestId, spanId } = origin;
  return inRequest(spanId === undefined ? { requestId } : { requestId, traceId: traceIdOf(requestId) }, run);
}
