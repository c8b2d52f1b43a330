/**
 * Runs many HTTP clients in one process: keep-alive connections with one request at a time, written and parsed as bytes. A client library
 * would cost more CPU than the measured servers.
 */
import { once } from "node:events";
import { connect as open, type Socket } from "node:net";
import { within } from "../../test/support/eventually.ts";
import { paced, type Pace } from "./pacing.ts";
import { serveCommands } from "./remote.ts";

export interface HttpConnectParams {
  readonly port: number;
  readonly path: string;
  /** Tokens for the requests, in rotation. */
  readonly tokens: readonly string[];
  readonly connections: number;
}
export interface HttpDriveParams {
  readonly forMs: number;
  readonly pace: Pace;
}
export interface HttpDriveResult {
  readonly requests: number;
  readonly tookMs: number;
  /** Time from when a request was due until its complete response. */
  readonly answerMs: Float64Array;
  /** One response body, for comparison. */
  readonly body: string;
}

interface PendingRequest {
  readonly request: string;
  readonly answered: (body: string) => void;
  readonly failed: (error: Error) => void;
}

let requests: readonly string[] = [];
const idle: HttpConnection[] = [];
const waiting: PendingRequest[] = [];

/** One connection. */
class HttpConnection {
  private readonly socket: Socket;
  private received = "";
  private asked: PendingRequest | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.read(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (idle.includes(this)) idle.splice(idle.indexOf(this), 1);
      this.asked?.failed(new Error("a connection was closed"));
    });
  }

  ask(asked: PendingRequest): void {
    this.asked = asked;
    this.socket.write(asked.request);
  }

  private read(chunk: string): void {
    this.received += chunk;
    const end = this.received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.received.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    const body = this.received.slice(end + 4);
    if (body.length < length) return;
    const { answered, failed } = this.asked!;
    this.received = "";
    this.asked = undefined;
    const next = waiting.shift();
    if (next === undefined) idle.push(this);
    else this.ask(next);
    if (head.startsWith("HTTP/1.1 200 ") && body.length === length) answered(body);
    else failed(new Error(`answered ${head.slice(0, 40)}: ${body.slice(0, 200)}`));
  }
}

function ask(request: string): Promise<string> {
  return new Promise((answered, failed) => {
    const asked = { request, answered, failed };
    const line = idle.shift(); // in rotation: a server closes a connection that is idle for seconds
    if (line === undefined) waiting.push(asked);
    else line.ask(asked);
  });
}

/** Opens the missing connections. Called before each drive, since the server may have closed idle ones. */
async function connect({ port, path, tokens, connections }: HttpConnectParams): Promise<void> {
  requests = tokens.map((token) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  while (idle.length < connections) {
    const socket = open(port, "127.0.0.1");
    await once(socket, "connect");
    idle.push(new HttpConnection(socket));
  }
}

async function drive({ forMs, pace }: HttpDriveParams): Promise<HttpDriveResult> {
  const answerMs: number[] = [];
  let body = "";
  const all = paced(pace, forMs, async (turn, dueAt) => {
    body = await ask(requests[turn % requests.length]!);
    answerMs.push(performance.now() - dueAt);
  });
  const tookMs = await within(forMs + 20_000, "every request is answered", all);
  return { requests: answerMs.length, tookMs, answerMs: Float64Array.from(answerMs), body };
}

const commands = { connect, drive };
export type HttpLoad = typeof commands;
serveCommands(commands);
