/**
 * The one socket: it comes back by itself as long as the session lives, and asks with an answer or an error, never neither.
 * What is lost with a connection is not its concern: `synchronizer.ts` asks for it.
 */
import { io, type Socket } from "socket.io-client";
import { ParleyError, serverError, offlineError, type ErrorBody } from "../errors.ts";

export interface SocketConnectionContext {
  readonly url: string;
  /** undefined: the browser's cookie is the credential */
  readonly token: string | undefined;
  readonly onConnected: () => void;
  /** There is no connection; the next attempt comes by itself. */
  readonly onDisconnected: () => void;
  /** The session is over, or was never one. */
  readonly onEnded: (reason: string) => void;
  readonly onEvent: (event: string, data: unknown) => void;
}

type Acknowledgement<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: ErrorBody };

const ackTimeoutMs = 15_000;
/** What was missed can be long, and the line slow. */
const syncAckTimeoutMs = 60_000;
/** Attempts come at growing distances, each up to half longer or shorter, so that not all clients come at once. */
const reconnection = { reconnectionDelay: 300, reconnectionDelayMax: 5000, randomizationFactor: 0.5 } as const;
/** Socket.IO does not come back by itself after a refusal; ours that are not for good name a time, or it is this. */
const refusedRetryMs = 2000;

export class SocketConnection {
  private readonly socket: Socket;
  private readonly context: SocketConnectionContext;
  private isClosed = false;
  private reconnectTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: SocketConnectionContext) {
    this.context = context;
    const { url, token } = context;
    this.socket = io(url, {
      path: "/chat/socket.io/",
      auth: token === undefined ? {} : { token },
      withCredentials: true,
      transports: ["websocket"],
      forceNew: true,
      autoConnect: false,
      ...reconnection,
    });
    this.socket.on("connect", context.onConnected);
    this.socket.on("connect_error", (error) => this.onConnectError(error));
    this.socket.on("disconnect", () => this.onDisconnect());
    this.socket.on("sessionEnded", ({ reason }: { reason: string }) => this.onSessionEnded(reason));
    this.socket.onAny((event: string, data: unknown) => context.onEvent(event, data));
  }

  open(): void {
    this.socket.connect();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.reconnectTimer);
    this.socket.disconnect();
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE: the connection went, or no answer came in time */
  request<T>(event: string, payload: object): Promise<T> {
    return this.emitWithAck<T, T>(event, payload, ackTimeoutMs, (answer) => answer);
  }

  /**
   * As `ask`, for a long answer that has its place among the events: `take` sees it before what was sent behind it is heard. To await it
   * would be too late for that, since both may come in one piece.
   * @returns what `take` does
   */
  requestAndApply<T, R>(event: string, payload: object, apply: (answer: T) => R): Promise<R> {
    return this.emitWithAck(event, payload, syncAckTimeoutMs, apply);
  }

  private emitWithAck<T, R>(event: string, payload: object, timeoutMs: number, apply: (ack: T) => R): Promise<R> {
    // Socket.IO would keep it for later, and send it before what was missed is known.
    if (!this.socket.connected) return Promise.reject(new ParleyError("OFFLINE", "There is no connection"));
    return new Promise((resolve, reject) => {
      const resultOf = (error: Error | null, ack: Acknowledgement<T>) => {
        if (error !== null) throw offlineError(error);
        if (!ack.ok) throw serverError(ack.error);
        return apply(ack.data);
      };
      this.socket.timeout(timeoutMs).emit(event, payload, (error: Error | null, ack: Acknowledgement<T>) => {
        try {
          resolve(resultOf(error, ack));
        } catch (refused) {
          reject(refused);
        }
      });
    });
  }

  private onSessionEnded(reason: string): void {
    if (this.isClosed) return;
    this.close();
    this.context.onEnded(reason);
  }

  private onDisconnect(): void {
    if (this.isClosed) return;
    this.context.onDisconnected();
    // The server's own cut, without the session's end.
    if (!this.socket.active) this.reconnectAfter(refusedRetryMs);
  }

  private onConnectError(error: Error & { data?: ErrorBody }): void {
    if (this.isClosed) return;
    const { code, retryAfterMs = refusedRetryMs } = error.data ?? {};
    if (code === "UNAUTHENTICATED" || code === "FORBIDDEN") {
      this.onSessionEnded(code === "FORBIDDEN" ? "forbidden" : "unauthenticated");
      return;
    }
    this.context.onDisconnected();
    if (!this.socket.active) this.reconnectAfter(retryAfterMs);
  }

  private reconnectAfter(ms: number): void {
    clearTimeout(this.reconnectTimer);
    this.reconnectTimer = setTimeout(() => this.socket.connect(), ms);
  }
}
