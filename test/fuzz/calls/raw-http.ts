/** One HTTP call as it is: any method, headers and bytes, also those that a well-behaved client would not send. */
import { Agent, request, type IncomingMessage } from "node:http";
import type { ApiResponse } from "../../support/people/person.ts";

export interface RawCall {
  /** As the document names it: `POST /chat/messages`. */
  readonly operation: string;
  /** What is wrong with it. */
  readonly what: string;
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
  /** The JSON that the body is, for what was taken is held to its schema. */
  readonly json?: unknown;
  /** It does not come to this route by this method, or breaks off: answered by something else, or not at all. */
  readonly isBeside?: true;
  /** Ends in the middle of its body. */
  readonly isCutOff?: true;
}

const withinMs = 20_000;

export class RawHttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 20 });
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** @throws Error  no answer, or half of one */
  send(call: RawCall, isRepeat = false): Promise<ApiResponse> {
    const { method, target, headers, body, isCutOff } = call;
    const { hostname, port } = new URL(this.url);
    // What may spoil its connection gets one of its own.
    const agent = call.isBeside === true || isRepeat ? false : this.agent;
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method, path: target, headers: headers as Record<string, string | string[]> };
      const asked = request({ ...options, signal: AbortSignal.timeout(withinMs) }, (answer) => {
        read(answer).then(resolve, reject);
      });
      asked.on("error", (error) => {
        // The server may close an idle connection in the very moment that it is used again.
        if (asked.reusedSocket) this.send(call, true).then(resolve, reject);
        else reject(error);
      });
      if (isCutOff === true) {
        asked.write(body ?? "", () => asked.destroy());
        return;
      }
      asked.end(body);
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
