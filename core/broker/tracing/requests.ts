/**
 * Where requests begin, and how calls carry them on. Each request has an id, which travels with its calls to other nodes; some are traced
 * (`TRACING_SAMPLE`), and then each step is a span. What is not traced makes no span anywhere.
 */
import type { Context, Middleware, ServiceBroker, Span } from "moleculer";
import { newId } from "../../ids.ts";
import type { DurableEvent } from "../../queue/queue.ts";
import { currentRequest, inRequest, traceIdOf } from "../../request-context.ts";

interface RequestStart {
  readonly requestId: string;
  /** What is done: `GET /chat/messages/:chatId`, `socket sendMessage`. Without anything that tells people apart. */
  readonly name: string;
  /** The service that does it. */
  readonly service: string;
}

/**
 * Works on a request that comes from outside, and decides whether it is traced.
 * @param work  is given the request's span when it is traced
 */
export function beginRequest<R>(broker: ServiceBroker, begin: RequestStart, work: (span?: Span) => Promise<R>): Promise<R> {
  const { requestId, name, service } = begin;
  const { tracer } = broker;
  if (!tracer.isEnabled() || !tracer.shouldSample(Object.create(null) as Span)) return inRequest({ requestId }, () => work());
  const span = tracer.startSpan(name, { type: "request", traceID: requestId, service: { name: service }, sampled: true });
  return inSpan(broker, span, work);
}

/**
 * Works on a durable event as a step of the request that announced it; its id is known here already.
 * @param service  that follows the event
 */
export function resumeRequest<R>(
  broker: ServiceBroker,
  { origin, topic }: Pick<DurableEvent, "origin" | "topic">,
  service: string,
  work: () => Promise<R>,
): Promise<R> {
  const { requestId, spanId } = origin ?? {};
  if (requestId === undefined || spanId === undefined || !broker.tracer.isEnabled()) return work();
  const begin = { type: "event", traceID: requestId, parentID: spanId, service: { name: service }, sampled: true };
  const span = broker.tracer.startSpan(topic, begin);
  return inSpan(broker, span, work);
}

/** The outermost middleware of actions: their lines and calls carry the request of whoever called. */
export function requests(): Middleware {
  let broker: ServiceBroker;
  return {
    name: "Requests",
    created: (made) => void (broker = made),
    localAction(next, action) {
      const name = action.name!;
      return function (ctx) {
        const requestId = ctx.requestID ?? newId();
        const run = () => next.call(this, ctx) as Promise<unknown>;
        if (ctx.tracing === true) return traced(broker, ctx as Context, name, run);
        return currentRequest()?.requestId === requestId ? run() : inRequest({ requestId }, run);
      };
    },
  };
}

function traced(broker: ServiceBroker, { id, requestID, parentID }: Context, name: string, run: () => Promise<unknown>): Promise<unknown> {
  const requestId = requestID ?? newId();
  // Others trace it, and this node says which lines are the trace's.
  if (!broker.tracer.isEnabled()) return inRequest({ requestId, traceId: traceIdOf(requestId) }, run);
  const service = { name: name.split(".")[0]! };
  const begin = { id, type: "action", traceID: requestId, parentID, service, sampled: true };
  return inSpan(broker, broker.tracer.startSpan(name, begin), run);
}

async function inSpan<R>({ nodeID }: ServiceBroker, span: Span, work: (span: Span) => Promise<R>): Promise<R> {
  const { traceID: requestId } = span;
  span.addTags({ node: nodeID });
  try {
    return await inRequest({ requestId, traceId: traceIdOf(requestId), span }, () => work(span));
  } catch (error) {
    span.setError(error as Error);
    throw error;
  } finally {
    span.finish();
  }
}
