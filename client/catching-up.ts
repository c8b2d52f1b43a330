/**
 * Asks for what was missed: `subscribe` after each connection, then `sync` as long as the answers say that there is more, and again
 * whenever something shows that a change did not come. One question is under way at a time.
 */
import type { Chats } from "./chats.ts";
import type { SyncAnswer } from "./documents.ts";
import type { ParleyError } from "./errors.ts";

export interface CatchingUpParts {
  readonly chats: Chats;
  /** Resolves with what `take` made of the answer, before it heard what came behind it. */
  readonly ask: (
    event: "subscribe" | "sync",
    payload: object,
    take: (answer: SyncAnswer) => boolean | undefined,
  ) => Promise<boolean | undefined>;
  /** All that was missed is here; once a connection. */
  readonly onCaughtUp: () => void;
}

const pauseMs = 1000;

export class CatchingUp {
  private readonly parts: CatchingUpParts;
  /** Counts connections: what was asked on one means nothing on the next. */
  private connection = 0;
  private isConnected = false;
  private isAsking = false;
  private isWanted = false;

  constructor(parts: CatchingUpParts) {
    this.parts = parts;
  }

  /** There is a new connection. */
  begin(): void {
    this.isConnected = true;
    void this.run(++this.connection, "subscribe");
  }

  /** The connection went. */
  stop(): void {
    this.connection++;
    this.isConnected = false;
    this.isAsking = false;
    this.parts.chats.pause();
  }

  /** Something is missing; without a connection the next one asks anyway. */
  want(): void {
    this.isWanted = true;
    if (this.isConnected && !this.isAsking) void this.run(this.connection, "sync");
  }

  private async run(connection: number, first: "subscribe" | "sync"): Promise<void> {
    this.isAsking = true;
    let event = first;
    let hasMore = true;
    while (hasMore || this.isWanted) {
      this.isWanted = false;
      const answered = await this.once(connection, event);
      if (answered === undefined) return;
      hasMore = answered;
      event = "sync";
    }
    this.isAsking = false;
    if (first === "subscribe") this.parts.onCaughtUp();
  }

  /** @returns whether there is more; undefined when the connection went */
  private async once(connection: number, event: "subscribe" | "sync"): Promise<boolean | undefined> {
    const { chats, ask } = this.parts;
    for (;;) {
      const question = chats.question();
      let waitMs = pauseMs;
      try {
        return await ask(event, { since: question.since }, (answer) =>
          connection === this.connection ? chats.answer(question, answer) : undefined,
        );
      } catch (error) {
        waitMs = (error as ParleyError).retryAfterMs ?? pauseMs;
      }
      if (connection === this.connection) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (connection !== this.connection) return undefined;
    }
  }
}
