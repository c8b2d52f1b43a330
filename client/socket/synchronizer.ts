/**
 * Asks for what was missed: `subscribe` after each connection, then `sync` as long as the answers say that there is more, and again
 * whenever something shows that a change did not come. One question is under way at a time.
 */
import type { Chats } from "../chats/chats.ts";
import type { SyncAnswer } from "../documents.ts";
import type { ParleyError } from "../errors.ts";

export interface SynchronizerContext {
  readonly chats: Chats;
  /** Resolves with what `take` made of the answer, before it heard what came behind it. */
  readonly request: (
    event: "subscribe" | "sync",
    payload: object,
    apply: (answer: SyncAnswer) => boolean | undefined,
  ) => Promise<boolean | undefined>;
  /** All that was missed is here; once a connection. */
  readonly onCaughtUp: () => void;
}

const retryDelayMs = 1000;

export class Synchronizer {
  private readonly context: SynchronizerContext;
  /** Counts connections: what was asked on one means nothing on the next. */
  private connectionNumber = 0;
  private isConnected = false;
  private isRequesting = false;
  private isSyncNeeded = false;

  constructor(context: SynchronizerContext) {
    this.context = context;
  }

  /** There is a new connection. */
  start(): void {
    this.isConnected = true;
    void this.run(++this.connectionNumber, "subscribe");
  }

  /** The connection went. */
  stop(): void {
    this.connectionNumber++;
    this.isConnected = false;
    this.isRequesting = false;
    this.context.chats.onDisconnected();
  }

  /** Something is missing; without a connection the next one asks anyway. */
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

  /** @returns whether there is more; undefined when the connection went */
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
