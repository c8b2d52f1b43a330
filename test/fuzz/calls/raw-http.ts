/** Sends HTTP requests with any method, headers and bytes, including those that a normal client would not send. */
import { Agent, request, type IncomingMessage } from "node:http";
import type { ApiResponse } from "../../support/people/person.ts";

export interface RawCall {
  /** Name in the OpenAPI document, such as `POST /chat/messages`. */
  readonly operation: string;
  /** Says what is wrong with it. */
  readonly what: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
  /** The body as JSON. If the call succeeds, it is checked against the schema. */
  readonly json?: unknown;
  /** The call does not reach this route, or breaks off, so its answer is not checked against the route's document. */
  readonly isOffRoute?: true;
  /** The connection is closed in the middle of the body. */
  readonly isCutOff?: true;
}

const timeoutMs = 20_000;

export class RawHttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 20 });
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** @throws Error  no answer, or an incomplete one */
  send(call: RawCall, isRepeat = false): Promise<ApiResponse> {
    const { method, target, headers, body, isCutOff } = call;
    const { hostname, port } = new URL(this.url);
    // A call that may break its connection gets a connection of its own.
    const agent = call.isOffRoute === true || isRepeat ? false : this.agent;
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method, path: target, headers: headers as Record<string, string | string[]> };
      const sent = request({ ...options, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
        read(answer).then(resolve, reject);
      });
      sent.on("error", (error) => {
        // The server may close an idle connection at the moment when it is reused.
        if (sent.reusedSocket) this.send(call, true).then(resolve, reject);
        else reject(error);
      });
      if (isCutOff === true) {
        sent.write(body ?? "", () => sent.destroy());
        return;
      }
      sent.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

async function read(answer: IncomingMessage): Promise<ApiResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const headers = new Headers();
  for (let i = 0; i < answer.rawHeaders.length; i += 2) headers.append(answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!);
  return {
    status: answer.statusCode!,
    headers,
    body: text !== "" && (headers.get("content-type") ?? "").startsWith("application/json") ? JSON.parse(text) : text,
  };
}
