/**
 * What one socket sends to one chat: one call is under way at a time, and what gathers meanwhile goes in the next as a list. So
 * messages are stored in the order sent, and a busy sender costs few calls.
 */
import { Unavailable } from "../../../core/errors.ts";
import type { Sent } from "../../chat/contract.ts";

export interface Outgoing {
  readonly text: string;
  readonly clientId: string;
  readonly replyTo?: string;
}
type Call = (messages: readonly Outgoing[]) => Promise<readonly Sent[]>;

/** Messages of one call, and those that may wait behind it. */
const atOnce = 200;
const mayWait = 1000;

interface Waiting {
  readonly message: Outgoing;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (reason: unknown) => void;
}

export class Sends {
  private readonly call: Call;
  private waiting: Waiting[] = [];
  private isSending = false;

  constructor(call: Call) {
    this.call = call;
  }

  get isIdle(): boolean {
    return !this.isSending;
  }

  /** @throws Unavailable  too many wait, or something before this message failed for a while: send again from the first unanswered one */
  send(message: Outgoing): Promise<Sent> {
    if (this.waiting.length >= mayWait) return Promise.reject(new Unavailable("Too many messages wait, try again"));
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject });
      if (!this.isSending) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.isSending = true;
    await Promise.resolve(); // what this turn of the event loop still brings goes along
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, atOnce);
      try {
        const answers = await this.call(batch.map(({ message }) => message));
        batch.forEach(({ resolve }, index) => resolve(answers[index]!));
        const failed = answers.find((sent) => !sent.ok && sent.error.code === "UNAVAILABLE");
        if (failed !== undefined) this.fail([], new Unavailable());
      } catch (error) {
        this.fail(batch, error);
      }
    }
    this.isSending = false;
  }

  /** What waits behind a failure fails with it, or it would overtake what the client sends again. */
  private fail(batch: readonly Waiting[], reason: unknown): void {
    for (const { reject } of [...batch, ...this.waiting.splice(0)]) reject(reason);
  }
}
