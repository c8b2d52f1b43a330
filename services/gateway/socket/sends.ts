/**
 * What one socket sends to one chat: one call is under way at a time, and what gathers meanwhile goes in the next as a list. So
 * messages are stored in the order sent, and a busy sender costs few calls; each goes under its first message's request id. After a refusal that a repeat can mend, everything is
 * refused until the first refused message comes again, or its time to is over: what was on its way already would overtake it.
 */
import { Unavailable, type DomainError } from "../../../core/errors.ts";
import { refusalCounter } from "../../../core/metrics/resources.ts";
import { startTimeout } from "../../../core/resilience/timeout.ts";
import { currentRequest, inRequest, type RequestContext } from "../../../core/request-context.ts";
import type { Input } from "../../../core/contract/schema.ts";
import type { chat, SendResult } from "../../chat/contract.ts";

export type Outgoing = Input<typeof chat.send.params>["messages"][number];
export interface Attempt {
  readonly message: Outgoing;
  /** The client gave the clientId, so it can send the message again; without one there is nothing to wait for. */
  readonly isRepeatable: boolean;
  /** Why the message may not go now, e.g. too many. */
  readonly refusal?: unknown;
}
type Call = (messages: readonly Outgoing[]) => Promise<readonly SendResult[]>;

/** Messages of one call, and those that may wait behind it. */
const atOnce = 200;
const mayWait = 1000;
const waitingBound = refusalCounter("send_queue");
/** A refused message that has not come again when its sender was told to try again is given up; if nothing was told, after this. */
const patienceMs = 1000;

interface Waiting extends Attempt {
  readonly request: RequestContext | undefined;
  readonly resolve: (sent: SendResult) => void;
  readonly reject: (reason: unknown) => void;
}
/** The first refused message, and what is told to those behind it. */
interface Gap {
  readonly clientId: string;
  readonly reason: unknown;
}

export class Sends {
  private readonly call: Call;
  private waiting: Waiting[] = [];
  private gap: Gap | undefined;
  private isSending = false;

  constructor(call: Call) {
    this.call = call;
  }

  /** Nothing would be lost with it. */
  get isIdle(): boolean {
    return !this.isSending && this.gap === undefined;
  }

  /** @throws  the attempt's refusal, or what failed before this message: send again from the first unanswered one */
  send(attempt: Attempt): Promise<SendResult> {
    const refusal = this.behindGap(attempt) ?? attempt.refusal ?? this.full();
    return new Promise((resolve, reject) => {
      const waiting = { ...attempt, request: currentRequest(), resolve, reject };
      if (refusal !== undefined) {
        this.fail([waiting], refusal);
        return;
      }
      this.waiting.push(waiting);
      if (!this.isSending) void this.run();
    });
  }

  private behindGap({ message, isRepeatable }: Attempt): unknown {
    if (this.gap === undefined) return undefined;
    if (this.gap.clientId === message.clientId) this.gap = undefined;
    return isRepeatable ? this.gap?.reason : undefined;
  }

  private full(): Unavailable | undefined {
    if (this.waiting.length < mayWait) return undefined;
    waitingBound.countRefusal();
    return new Unavailable("Too many messages wait, try again");
  }

  private async run(): Promise<void> {
    this.isSending = true;
    await Promise.resolve(); // what this turn of the event loop still brings goes along
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, atOnce);
      try {
        const answers = await inRequest(batch[0]?.request, () => this.call(batch.map(({ message }) => message)));
        batch.forEach(({ resolve }, index) => resolve(answers[index]!));
        const failed = answers.findIndex((sent) => !sent.ok && sent.error.code === "UNAVAILABLE");
        if (failed >= 0) this.fail([...batch.slice(failed), ...this.waiting.splice(0)], new Unavailable());
      } catch (error) {
        this.fail([...batch, ...this.waiting.splice(0)], error);
      }
    }
    this.isSending = false;
  }

  /** Refuses these; the first that can come again is waited for. */
  private fail(refused: readonly Waiting[], reason: unknown): void {
    const first = refused.find(({ isRepeatable }) => isRepeatable);
    const { retryAfterMs = patienceMs } = (reason as Partial<DomainError>).data ?? {};
    if (first !== undefined && this.gap === undefined) this.waitFor({ clientId: first.message.clientId, reason }, retryAfterMs);
    for (const { reject } of refused) reject(reason);
  }

  private waitFor(gap: Gap, withinMs: number): void {
    this.gap = gap;
    // What was on its way already when it opened is read before it closes.
    startTimeout(withinMs, () => {
      if (this.gap === gap) this.gap = undefined;
    });
  }
}
