/**
 * The one socket: it comes back by itself as long as the session lives, and asks with an answer or an error, never neither.
 * What is lost with a connection is not its concern: `catching-up.ts` asks for it.
 */
import { io, type Socket } from "socket.io-client";
import { ParleyError, refusal, unanswered, type ErrorBody } from "./errors.ts";

export interface ConnectionParts {
  readonly url: string;
  /** undefined: the browser's cookie is the credential */
  readonly token: string | undefined;
  readonly onConnected: () => void;
  /** There is no connection; the next attempt comes by itself. */
  readonly onLost: () => void;
  /** The session is over, or was never one. */
  readonly onEnded: (reason: string) => void;
  readonly hear: (event: string, data: unknown) => void;
}

type Answer<T> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: ErrorBody };

const answerWithinMs = 15_000;
/** What was missed can be long, and the line slow. */
const longAnswerWithinMs = 60_000;
/** Attempts come at growing distances, each up to half longer or shorter, so that not all clients come at once. */
const reconnection = { reconnectionDelay: 300, reconnectionDelayMax: 5000, randomizationFactor: 0.5 } as const;
/** Socket.IO does not come back by itself after a refusal; ours that are not for good name a time, or it is this. */
const refusedPauseMs = 2000;

export class Connection {
  private readonly socket: Socket;
  private readonly parts: ConnectionParts;
  private isClosed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: ConnectionParts) {
    this.parts = parts;
    const { url, token } = parts;
    this.socket = io(url, {
      path: "/chat/socket.io/",
      auth: token === undefined ? {} : { token },
      withCredentials: true,
      transports: ["websocket"],
      forceNew: true,
      autoConnect: false,
      ...reconnection,
    });
    this.socket.on("connect", parts.onConnected);
    this.socket.on("connect_error", (error) => this.refused(error));
    this.socket.on("disconnect", () => this.lost());
    this.socket.on("sessionEnded", ({ reason }: { reason: string }) => this.end(reason));
    this.socket.onAny((event: string, data: unknown) => parts.hear(event, data));
  }

  get isConnected(): boolean {
    return this.socket.connected;
  }

  open(): void {
    this.socket.connect();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.socket.disconnect();
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE: the connection went, or no answer came in time */
  ask<T>(event: string, payload: object): Promise<T> {
    return this.exchange<T, T>(event, payload, answerWithinMs, (answer) => answer);
  }

  /**
   * As `ask`, for a long answer that has its place among the events: `take` sees it before what was sent behind it is heard. To await it
   * would be too late for that, since both may come in one piece.
   * @returns what `take` does
   */
  take<T, R>(event: string, payload: object, take: (answer: T) => R): Promise<R> {
    return this.exchange(event, payload, longAnswerWithinMs, take);
  }

  private exchange<T, R>(event: string, payload: object, withinMs: number, take: (answer: T) => R): Promise<R> {
    // Socket.IO would keep it for later, and send it before what was missed is known.
    if (!this.socket.connected) return Promise.reject(new ParleyError("OFFLINE", "There is no connection"));
    return new Promise((resolve, reject) => {
      const answered = (error: Error | null, answer: Answer<T>) => {
        if (error !== null) throw unanswered(error);
        if (!answer.ok) throw refusal(answer.error);
        return take(answer.data);
      };
      this.socket.timeout(withinMs).emit(event, payload, (error: Error | null, answer: Answer<T>) => {
        try {
          resolve(answered(error, answer));
        } catch (refused) {
          reject(refused);
        }
      });
    });
  }

  private end(reason: string): void {
    if (this.isClosed) return;
    this.close();
    this.parts.onEnded(reason);
  }

  private lost(): void {
    if (this.isClosed) return;
    this.parts.onLost();
    // The server's own cut, without the session's end.
    if (!this.socket.active) this.openLater(refusedPauseMs);
  }

  private refused(error: Error & { data?: ErrorBody }): void {
    if (this.isClosed) return;
    const { code, retryAfterMs = refusedPauseMs } = error.data ?? {};
    if (code === "UNAUTHENTICATED" || code === "FORBIDDEN") {
      this.end(code === "FORBIDDEN" ? "forbidden" : "unauthenticated");
      return;
    }
    this.parts.onLost();
    if (!this.socket.active) this.openLater(retryAfterMs);
  }

  private openLater(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.socket.connect(), ms);
  }
}
