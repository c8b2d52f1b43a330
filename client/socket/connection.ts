/**
 * Keeps one socket connected as long as the session lasts. Each request gets an answer or an error. Events lost with a connection are
 * fetched by `synchronizer.ts`.
 */
import { io, type Socket } from "socket.io-client";
import { ParleyError, serverError, offlineError, type ErrorBody } from "../errors.ts";

export interface SocketConnectionContext {
  readonly url: string;
  /** Undefined if the browser's cookie is the credential. */
  readonly token: string | undefined;
  readonly onConnected: () => void;
  /** There is no connection. The next attempt starts by itself. */
  readonly onDisconnected: () => void;
  /** The session is over, or was never valid. */
  readonly onEnded: (reason: string) => void;
  readonly onEvent: (event: string, data: unknown) => void;
}

type Acknowledgement<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: ErrorBody };

const ackTimeoutMs = 15_000;
/** Missed changes can be large, and the line slow. */
const syncAckTimeoutMs = 60_000;
/** Delays grow, and each is up to half longer or shorter at random, so that clients do not all reconnect at once. */
const reconnection = { reconnectionDelay: 300, reconnectionDelayMax: 5000, randomizationFactor: 0.5 } as const;
/** Delay after a refusal that names none. Socket.IO does not reconnect by itself after a refusal. */
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

  /** @throws ParleyError  the server's error; OFFLINE: the connection was lost, or no answer arrived in time */
  request<T>(event: string, payload: object): Promise<T> {
    return this.emitWithAck<T, T>(event, payload, ackTimeoutMs, (answer) => answer);
  }

  /**
   * Like `request`, for a large answer that must be applied before the events sent after it. Awaiting the answer would be too late: both
   * may arrive in one packet.
   * @returns what `apply` returns
   */
  requestAndApply<T, R>(event: string, payload: object, apply: (answer: T) => R): Promise<R> {
    return this.emitWithAck(event, payload, syncAckTimeoutMs, apply);
  }

  private emitWithAck<T, R>(event: string, payload: object, timeoutMs: number, apply: (ack: T) => R): Promise<R> {
    // Socket.IO would buffer the request and send it on reconnecting, before the missed changes are known.
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
    // The server closed the connection without ending the session; Socket.IO does not reconnect after that.
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
