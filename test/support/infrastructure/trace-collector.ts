/** A trace collector for tests: an HTTP server that accepts Zipkin's JSON at /api/v2/spans, and can be told to answer differently. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface CollectedSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly name: string;
  readonly kind: string;
  readonly timestamp: number;
  readonly duration: number;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

export interface TestTraceCollector {
  readonly url: string;
  /** All spans that it accepted. */
  readonly spans: CollectedSpan[];
  /** The number of requests, and the headers of the last one. */
  readonly requestCount: { times: number; headers: IncomingMessage["headers"] };
  /** Answers requests instead of accepting the spans; while undefined, spans are accepted. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  stop(): Promise<void>;
}

export async function startTraceCollector(): Promise<TestTraceCollector> {
  const spans: CollectedSpan[] = [];
  const requestCount: TestTraceCollector["requestCount"] = { times: 0, headers: {} };
  const accept: RequestListener = (request, response) => {
    requestCount.times++;
    requestCount.headers = request.headers;
    if (collector.answer !== undefined) {
      collector.answer(request, response);
      return;
    }
    void text(request).then((body) => {
      if (request.url !== "/api/v2/spans") return response.writeHead(404).end();
      spans.push(...(JSON.parse(body) as CollectedSpan[]));
      return response.writeHead(202).end();
    });
  };
  const server = createServer(accept).listen(0, "127.0.0.1");
  await once(server, "listening");
  const collector: TestTraceCollector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requestCount,
    answer: undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return collector;
}
