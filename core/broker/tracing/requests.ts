/**
 * Starts requests and continues them in calls. Each request has an id, which its calls pass on to other nodes. Some requests are traced
 * (`TRACING_SAMPLE`): each of their steps is a span. Other requests create no spans on any node.
 */
import type { Context, Middleware, ServiceBroker, Span } from "moleculer";
import { newId } from "../../ids.ts";
import type { DurableEvent } from "../../queue/queue.ts";
import { currentRequest, inRequest, traceIdOf } from "../../request-context.ts";

interface RequestStart {
  readonly requestId: string;
  /** The kind of request: `GET /chat/messages/:chatId`, `socket sendMessage`. It contains nothing that identifies a user. */
  readonly name: string;
  /** The service that handles it. */
  readonly service: string;
}

/**
 * Runs a request from outside, and decides whether to trace it.
 * @param work  receives the request's span if it is traced
 */
export function startRequest<R>(broker: ServiceBroker, begin: RequestStart, work: (span?: Span) => Promise<R>): Promise<R> {
  const { requestId, name, service } = begin;
  const { tracer } = broker;
  // Decided before a span exists, because an untraced request creates none. With a sampling rate, Moleculer does not read the span.
  if (!tracer.isEnabled() || !tracer.shouldSample(Object.create(null) as Span)) return inRequest({ requestId }, () => work());
  const span = tracer.startSpan(name, { type: "request", traceID: requestId, service: { name: service }, sampled: true });
  return inSpan(broker, span, work);
}

/**
 * Handles a durable event as a step of the request that announced it. Call it within that request's context (`inOrigin`).
 * @param service  the service that follows the event
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

/** The outermost middleware of actions: gives their log lines and calls the caller's request. */
export function requests(): Middleware {
  let broker: ServiceBroker;
  return {
    name: "Requests",
    created: (newBroker) => void (broker = newBroker),
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
  // This node exports no spans, but its log lines carry the trace id that other nodes use.
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
