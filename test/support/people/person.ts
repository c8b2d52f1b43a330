/** A thin client for tests: HTTP with a bearer token or a cookie, and a Socket.IO connection that records the events it receives. */
import { io, type Socket } from "socket.io-client";
import { defaultTimeoutMs, within } from "../eventually.ts";

/** Data from a server. A test reads the fields that it expects, and fails if they are missing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a type would assume what is being tested
export type Received = any;

/** An HTTP answer. `body` is the parsed JSON, or the text if it is not JSON. */
export interface ApiResponse<B = Received> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: B;
}

/** The answer to a socket event. */
export type Ack =
  | { readonly ok: true; readonly data: Received }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

export interface ApiRequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one HTTP request. An object is sent as JSON, a string or a form unchanged. */
export async function requestJson(
  url: string,
  method: string,
  path: string,
  { body, headers = {} }: ApiRequestOptions = {},
): Promise<ApiResponse> {
  const isForm = body instanceof FormData;
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined || isForm ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" || isForm ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: jsonOrText(text) };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One connection and all events that it received, in order. */
export class TestSocket {
  readonly received: { readonly event: string; readonly data: Received }[] = [];
  readonly socket: Socket;
  private readonly pendingChecks = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const note = (event: string, data: unknown) => {
      this.received.push({ event, data });
      for (const check of [...this.pendingChecks]) check();
    };
    socket.onAny((event: string, data: unknown) => note(event, data));
    socket.on("disconnect", (reason) => note("disconnect", reason));
  }

  /** Emits an event and waits for its answer. */
  call(event: string, ...payload: unknown[]): Promise<Ack> {
    return this.socket.timeout(15_000).emitWithAck(event, ...payload) as Promise<Ack>;
  }

  /** Like `call`, but throws if the server refuses. @returns the answer's data */
  async callOrThrow(event: string, payload: unknown): Promise<Received> {
    const answer = await this.call(event, payload);
    if (!answer.ok) throw new Error(`${event} was refused: ${answer.error.code} ${answer.error.message}`);
    return answer.data;
  }

  /** The payloads of this event so far. */
  payloadsOf(event: string): Received[] {
    return this.received.filter((one) => one.event === event).map(({ data }) => data);
  }

  /** Waits for the first event of this name that matches. It may have arrived before the call. */
  waitFor(event: string, matches: (data: Received) => boolean = () => true, timeoutMs = defaultTimeoutMs): Promise<Received> {
    return this.waitUntil(`received ${event}`, () => this.received.find((one) => one.event === event && matches(one.data)), timeoutMs).then(
      ({ data }) => data,
    );
  }

  /** Waits until this event arrived `times` times. @returns all its payloads */
  async waitForCount(event: string, times: number, timeoutMs = defaultTimeoutMs): Promise<Received[]> {
    await this.waitUntil(
      `received ${event} ${times} times`,
      () => (this.payloadsOf(event).length >= times ? true : undefined),
      timeoutMs,
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; received ${this.payloadsOf(event).length}`);
    });
    return this.payloadsOf(event);
  }

  close(): void {
    this.socket.disconnect();
  }

  private async waitUntil<T>(what: string, probe: () => T | undefined, timeoutMs: number): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const check = () => {
      const found = probe();
      if (found !== undefined) resolve(found);
    };
    this.pendingChecks.add(check);
    check();
    return within(timeoutMs, what, promise).finally(() => this.pendingChecks.delete(check));
  }
}

export interface TestSocketOptions {
  readonly auth?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly reconnection?: boolean;
}

/** Connects a socket. @throws Error  the server refused: its `connect_error` */
export async function connect(
  url: string,
  { auth = {}, headers = {}, path = "/chat/socket.io/", reconnection = false }: TestSocketOptions = {},
): Promise<TestSocket> {
  const socket = io(url, { path, auth, extraHeaders: headers, reconnection, transports: ["websocket"], forceNew: true });
  const line = new TestSocket(socket);
  const connected = new Promise<TestSocket>((resolve, reject) => {
    socket.once("connect", () => resolve(line));
    socket.once("connect_error", reject);
  });
  return within(10_000, "connected", connected).catch((error: unknown) => {
    socket.disconnect();
    throw error;
  });
}

/** The cookie that an answer sets, as `name=value`. */
export function cookieOf({ headers }: ApiResponse, name = "token"): string | undefined {
  return headers
    .getSetCookie()
    .find((cookie) => cookie.startsWith(`${name}=`))
    ?.split(";")[0];
}

export interface Identity {
  readonly firstName: string;
  readonly lastName: string;
  readonly emailId: string;
  readonly password: string;
}

/** A user at one gateway. After sign-up or log-in, `token` is their credential. */
export class Person implements Identity {
  readonly url: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly emailId: string;
  readonly password: string;
  id = "";
  token = "";
  private readonly sockets: TestSocket[] = [];

  constructor(url: string, { firstName, lastName, emailId, password }: Identity) {
    this.url = url;
    this.firstName = firstName;
    this.lastName = lastName;
    this.emailId = emailId;
    this.password = password;
  }

  async signUp(headers: Readonly<Record<string, string>> = {}): Promise<ApiResponse> {
    const { firstName, lastName, emailId, password } = this;
    const answer = await requestJson(this.url, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password }, headers });
    if (answer.status === 201) {
      this.id = answer.body.data._id;
      this.token = cookieOf(answer)!.slice("token=".length);
    }
    return answer;
  }

  async logIn(password = this.password): Promise<ApiResponse> {
    const answer = await requestJson(this.url, "POST", "/auth/login", { body: { emailId: this.emailId, password } });
    if (answer.status === 200) {
      this.id = answer.body.data.id;
      this.token = answer.body.data.token;
    }
    return answer;
  }

  /** The same person at another gateway or device, with the same session. */
  at(url: string): Person {
    const twin = new Person(url, this);
    twin.id = this.id;
    twin.token = this.token;
    return twin;
  }

  request(method: string, path: string, options: ApiRequestOptions = {}): Promise<ApiResponse> {
    return requestJson(this.url, method, path, { ...options, headers: { authorization: `Bearer ${this.token}`, ...options.headers } });
  }
  get = (path: string): Promise<ApiResponse> => this.request("GET", path);
  post = (path: string, body: unknown = {}): Promise<ApiResponse> => this.request("POST", path, { body });
  put = (path: string, body: unknown = {}): Promise<ApiResponse> => this.request("PUT", path, { body });
  patch = (path: string, body: unknown = {}): Promise<ApiResponse> => this.request("PATCH", path, { body });
  delete = (path: string): Promise<ApiResponse> => this.request("DELETE", path);

  async connect(options: TestSocketOptions = {}): Promise<TestSocket> {
    const line = await connect(this.url, { auth: { token: this.token }, ...options });
    this.sockets.push(line);
    return line;
  }

  /** Connects, and subscribes to all chats of this user. */
  async connectAndSubscribe(): Promise<TestSocket> {
    const line = await this.connect();
    await line.callOrThrow("subscribe", {});
    return line;
  }

  /** Closes every connection this person made. */
  disconnectAll(): void {
    for (const line of this.sockets) line.close();
  }
}
