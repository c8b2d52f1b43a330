/**
 * Fetches missed changes: sends `subscribe` on each new connection, then `sync` until an answer has no more, and `sync` again whenever a
 * change turns out to be missing. One query is pending at a time.
 */
import type { Chats } from "../chats/chats.ts";
import type { SyncAnswer } from "../documents.ts";
import type { ParleyError } from "../errors.ts";

export interface SynchronizerContext {
  readonly chats: Chats;
  /** Resolves with the result of `apply`, which gets the answer before the events sent after it are handled. */
  readonly request: (
    event: "subscribe" | "sync",
    payload: object,
    apply: (answer: SyncAnswer) => boolean | undefined,
  ) => Promise<boolean | undefined>;
  /** Everything missed has arrived. Called once per connection. */
  readonly onCaughtUp: () => void;
}

const retryDelayMs = 1000;

export class Synchronizer {
  private readonly context: SynchronizerContext;
  /** Counts connections, so that answers of an earlier one are ignored. */
  private connectionNumber = 0;
  private isConnected = false;
  private isRequesting = false;
  private isSyncNeeded = false;

  constructor(context: SynchronizerContext) {
    this.context = context;
  }

  /** Starts on a new connection. */
  start(): void {
    this.isConnected = true;
    void this.run(++this.connectionNumber, "subscribe");
  }

  /** Stops when the connection is lost. */
  stop(): void {
    this.connectionNumber++;
    this.isConnected = false;
    this.isRequesting = false;
    this.context.chats.onDisconnected();
  }

  /** Fetches missing changes. Without a connection, the next one does so anyway. */
  requestSync(): void {
    this.isSyncNeeded = true;
    if (this.isConnected && !this.isRequesting) void this.run(this.connectionNumber, "sync");
  }

  private async run(connectionNumber: number, firstEvent: "subscribe" | "sync"): Promise<void> {
    this.isRequesting = true;
    let event = firstEvent;
    let hasMore = true;
    while (hasMore || this.isSyncNeeded) {
      this.isSyncNeeded = false;
      const answered = await this.requestOnce(connectionNumber, event);
      if (answered === undefined) return;
      hasMore = answered;
      event = "sync";
    }
    this.isRequesting = false;
    if (firstEvent === "subscribe") this.context.onCaughtUp();
  }

  /** @returns whether there is more to fetch; undefined if the connection was lost */
  private async requestOnce(connectionNumber: number, event: "subscribe" | "sync"): Promise<boolean | undefined> {
    const { chats, request } = this.context;
    for (;;) {
      const query = chats.syncQuery();
      let waitMs = retryDelayMs;
      try {
        return await request(event, { since: query.since }, (answer) =>
          connectionNumber === this.connectionNumber ? chats.applyAnswer(query, answer) : undefined,
        );
      } catch (error) {
        waitMs = (error as ParleyError).retryAfterMs ?? retryDelayMs;
      }
      if (connectionNumber === this.connectionNumber) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (connectionNumber !== this.connectionNumber) return undefined;
    }
  }
}
