/** A person at their client, kept thin: HTTP with a bearer token or a cookie, and a Socket.IO connection that remembers what it heard. */
import { io, type Socket } from "socket.io-client";
import { patienceMs, within } from "./eventually.ts";

/** What a server sent. A test reads it as it expects it, and fails where it is something else. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a type would take for granted what is being tested
export type Received = any;

/** An HTTP answer; `body` is the parsed JSON, or the text where it is none. */
export interface Answer<B = Received> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: B;
}

/** The answer to a socket event. */
export type Ack =
  | { readonly ok: true; readonly data: Received }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

export interface Asking {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP request; an object body goes as JSON, a string and a form as they are. */
export async function ask(url: string, method: string, path: string, { body, headers = {} }: Asking = {}): Promise<Answer> {
  const isForm = body instanceof FormData;
  const answer = await fetch(url + path, {
    method,
    headers: { ...(body === undefined || isForm ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" || isForm ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One connection and everything it heard, in the order heard. */
export class Line {
  readonly heard: { readonly event: string; readonly data: Received }[] = [];
  readonly socket: Socket;
  private readonly waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const note = (event: string, data: unknown) => {
      this.heard.push({ event, data });
      for (const check of [...this.waiting]) check();
    };
    socket.onAny((event: string, data: unknown) => note(event, data));
    socket.on("disconnect", (reason) => note("disconnect", reason));
  }

  /** Emits an event and waits for its answer. */
  call(event: string, ...payload: unknown[]): Promise<Ack> {
    return this.socket.timeout(15_000).emitWithAck(event, ...payload) as Promise<Ack>;
  }

  /** As `call`, for what must succeed. @returns the answer's data */
  async must(event: string, payload: unknown): Promise<Received> {
    const answer = await this.call(event, payload);
    if (!answer.ok) throw new Error(`${event} was refused: ${answer.error.code} ${answer.error.message}`);
    return answer.data;
  }

  /** What this event brought so far. */
  all(event: string): Received[] {
    return this.heard.filter((one) => one.event === event).map(({ data }) => data);
  }

  /** The first event of this name, heard before or to come, that the predicate likes. */
  until(event: string, likes: (data: Received) => boolean = () => true, timeoutMs = patienceMs): Promise<Received> {
    return this.settle(`heard ${event}`, () => this.heard.find((one) => one.event === event && likes(one.data)), timeoutMs).then(
      ({ data }) => data,
    );
  }

  /** Resolves once this event was heard so many times. @returns all of them */
  async count(event: string, times: number, timeoutMs = patienceMs): Promise<Received[]> {
    await this.settle(`heard ${event} ${times} times`, () => (this.all(event).length >= times ? true : undefined), timeoutMs).catch(
      (error: unknown) => {
        throw new Error(`${(error as Error).message}; heard ${this.all(event).length}`);
      },
    );
    return this.all(event);
  }

  close(): void {
    this.socket.disconnect();
  }

  private async settle<T>(what: string, probe: () => T | undefined, timeoutMs: number): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const check = () => {
      const found = probe();
      if (found !== undefined) resolve(found);
    };
    this.waiting.add(check);
    check();
    return within(timeoutMs, what, promise).finally(() => this.waiting.delete(check));
  }
}

export interface Connecting {
  readonly auth?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly reconnection?: boolean;
}

/** Connects a socket. @throws Error  the server refused: its `connect_error` */
export async function connect(
  url: string,
  { auth = {}, headers = {}, path = "/chat/socket.io/", reconnection = false }: Connecting = {},
): Promise<Line> {
  const socket = io(url, { path, auth, extraHeaders: headers, reconnection, transports: ["websocket"], forceNew: true });
  const line = new Line(socket);
  const connected = new Promise<Line>((resolve, reject) => {
    socket.once("connect", () => resolve(line));
    socket.once("connect_error", reject);
  });
  return within(10_000, "connected", connected).catch((error: unknown) => {
    socket.disconnect();
    throw error;
  });
}

/** The cookie pair an answer sets, ready to be sent back. */
export function cookieOf({ headers }: Answer, name = "token"): string | undefined {
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

/** A person at one gateway. Signed up or logged in, `token` is their credential. */
export class Person implements Identity {
  readonly url: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly emailId: string;
  readonly password: string;
  id = "";
  token = "";
  private readonly lines: Line[] = [];

  constructor(url: string, { firstName, lastName, emailId, password }: Identity) {
    this.url = url;
    this.firstName = firstName;
    this.lastName = lastName;
    this.emailId = emailId;
    this.password = password;
  }

  async signUp(headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { firstName, lastName, emailId, password } = this;
    const answer = await ask(this.url, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password }, headers });
    if (answer.status === 201) {
      this.id = answer.body.data._id;
      this.token = cookieOf(answer)!.slice("token=".length);
    }
    return answer;
  }

  async logIn(password = this.password): Promise<Answer> {
    const answer = await ask(this.url, "POST", "/auth/login", { body: { emailId: this.emailId, password } });
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

  request(method: string, path: string, asking: Asking = {}): Promise<Answer> {
    return ask(this.url, method, path, { ...asking, headers: { authorization: `Bearer ${this.token}`, ...asking.headers } });
  }
  get = (path: string): Promise<Answer> => this.request("GET", path);
  post = (path: string, body: unknown = {}): Promise<Answer> => this.request("POST", path, { body });
  put = (path: string, body: unknown = {}): Promise<Answer> => this.request("PUT", path, { body });
  patch = (path: string, body: unknown = {}): Promise<Answer> => this.request("PATCH", path, { body });
  delete = (path: string): Promise<Answer> => this.request("DELETE", path);

  async connect(options: Connecting = {}): Promise<Line> {
    const line = await connect(this.url, { auth: { token: this.token }, ...options });
    this.lines.push(line);
    return line;
  }

  /** Connects, and hears all own chats from now on. */
  async listen(): Promise<Line> {
    const line = await this.connect();
    await line.must("subscribe", {});
    return line;
  }

  /** Closes every connection this person made. */
  leave(): void {
    for (const line of this.lines) line.close();
  }
}
