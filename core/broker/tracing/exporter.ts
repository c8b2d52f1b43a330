/**
 * Sends finished spans to the trace collector as Zipkin's JSON (version 2). It replaces the queue of Moleculer's exporter, which is
 * unbounded, keeps whole calls with their params, and waits forever for a trace collector that does not respond.
 */
import { TracerExporters, type Logger, type Span, type Tracer } from "moleculer";
import { codeOf } from "../../errors.ts";
import { counter } from "../../metrics/declare.ts";
import { traceIdOf } from "../../request-context.ts";
import { operatorLoggerName } from "../../node/logger.ts";

const spansTotal = counter(
  "parley_trace_spans_total",
  "Spans of traces: sent, or dropped because the trace collector did not accept them in time",
  ["outcome"],
);

/** Maximum number of spans that wait to be sent, about 0.5 kB each. More are dropped and counted. */
const maxWaiting = 5000;
/** Maximum number of spans in one HTTP request. */
const maxBatch = 500;
const sendIntervalMs = 1000;
const sendTimeoutMs = 5000;
/** On stop the last spans are sent, but a trace collector that hangs delays the stop no longer than this. */
const finalSendTimeoutMs = 1000;
/** Minimum time between two warnings about the trace collector. */
const warningIntervalMs = 60_000;

interface TraceCollector {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SpanCounts {
  readonly sent: number;
  /** The trace collector did not accept them in time, or too many were waiting. */
  readonly dropped: number;
  readonly waiting: number;
}

/** @param tracingUrl  the trace collector's URL, which may contain a user and a password; `/api/v2/spans` is appended if missing */
export function traceCollectorOf(tracingUrl: string): TraceCollector {
  const url = new URL(tracingUrl);
  const { username, password } = url;
  url.username = url.password = "";
  if (!url.pathname.endsWith("/api/v2/spans")) url.pathname = `${url.pathname.replace(/\/$/, "")}/api/v2/spans`;
  const credentials = Buffer.from(decodeURIComponent(`${username}:${password}`)).toString("base64");
  return {
    url: url.href,
    headers: { "Content-Type": "application/json", ...(username === "" ? {} : { Authorization: `Basic ${credentials}` }) },
  };
}

export class SpanExporter extends TracerExporters.Zipkin {
  private readonly collector: TraceCollector;
  private waiting: object[] = [];
  private sending: Promise<void> | undefined;
  private log: Logger | undefined;
  private counts = { sent: 0, dropped: 0 };
  private readonly ending = new AbortController();
  private lastWarningAt = -Infinity;
  private isCollectorDown = false;

  constructor(tracingUrl: string) {
    super({});
    this.collector = traceCollectorOf(tracingUrl);
  }

  override init(tracer: Tracer): void {
    // Not super.init: it would also start Moleculer's own timer.
    TracerExporters.Base.prototype.init.call(this, tracer);
    this.log = tracer.broker.getLogger(operatorLoggerName);
    spansTotal.collect(tracer.broker, () => [
      [{ outcome: "sent" }, this.counts.sent],
      [{ outcome: "dropped" }, this.counts.dropped],
    ]);
    this.timer = setInterval(() => this.flush(), sendIntervalMs).unref();
  }

  /** Sends the waiting spans, for at most a second. */
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- Moleculer awaits the promise; its types lack that
  override async stop(): Promise<void> {
    clearInterval(this.timer);
    setTimeout(() => this.ending.abort(new Error("this node stops")), finalSendTimeoutMs).unref();
    await this.sending;
    await this.sendAll();
  }

  override spanFinished(span: Span): void {
    if (this.waiting.length >= maxWaiting) this.counts.dropped++;
    // Convert it now: a waiting span would keep its call in memory.
    else this.waiting.push(this.makePayload(span));
  }

  override flush(): void {
    this.sending ??= this.sendAll().finally(() => (this.sending = undefined));
  }

  get spanCounts(): SpanCounts {
    return { ...this.counts, waiting: this.waiting.length };
  }

  /** The exported part of a span: names, times and codes. It never contains params, results or an error's text. */
  override makePayload({ name, type, id, traceID, parentID, startTime, duration, service, tags, error }: Span): Record<string, unknown> {
    const failure = error === null ? {} : { error: codeOf(error) ?? (error instanceof Error ? error.name : "error") };
    return {
      traceId: traceIdOf(traceID),
      id: spanId(id),
      ...(parentID ? { parentId: spanId(parentID) } : {}),
      name,
      kind: type === "event" ? "CONSUMER" : "SERVER",
      timestamp: microseconds(startTime ?? 0),
      duration: Math.max(1, microseconds(duration ?? 0)),
      localEndpoint: { serviceName: `parley-${service.name}` },
      tags: { ...Object.fromEntries(Object.entries(tags).map(([tag, value]) => [tag, String(value)])), ...failure },
    };
  }

  private async sendAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, maxBatch);
      const refusal = await send(this.collector, batch, this.ending.signal);
      this.counts[refusal === undefined ? "sent" : "dropped"] += batch.length;
      this.logOutcome(refusal);
      if (refusal !== undefined) return;
    }
  }

  private logOutcome(refusal: string | undefined): void {
    if (refusal === undefined) {
      if (this.isCollectorDown) this.log?.info("The trace collector accepts spans again");
      this.isCollectorDown = false;
      return;
    }
    this.isCollectorDown = true;
    if (performance.now() - this.lastWarningAt < warningIntervalMs) return;
    this.lastWarningAt = performance.now();
    const { host } = new URL(this.collector.url);
    this.log?.warn(`The trace collector ${host} does not accept spans (${refusal}); ${this.counts.dropped} dropped so far`);
  }
}

/** @returns why the trace collector did not accept them, or undefined */
async function send({ url, headers }: TraceCollector, batch: readonly object[], ending: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify(batch),
      redirect: "manual",
      signal: AbortSignal.any([ending, AbortSignal.timeout(sendTimeoutMs)]),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `status ${answer.status}`;
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === "TimeoutError") return `no answer within ${sendTimeoutMs} ms`;
    return (cause as { code?: string } | undefined)?.code ?? message;
  }
}

/** The first 16 hex digits of a UUID. */
const spanId = (uuid: string): string => uuid.replaceAll("-", "").slice(0, 16);
const microseconds = (ms: number): number => Math.round(ms * 1000);
