/**
 * What one socket sends to one chat: one call is under way at a time, and what gathers meanwhile goes in the next as a list. So
 * messages are stored in the order sent, and a busy sender costs few calls; each goes under its first message's request id. After a refusal that a repeat can mend, everything is
 * refused until the first refused message comes again, or its time to is over: what was on its way already would overtake it.
 */
import { Unavailable, type DomainError } from "../../../../core/errors.ts";
import { refusalCounter } from "../../../../core/metrics/resources.ts";
import { startTimeout } from "../../../../core/resilience/timeout.ts";
import { currentRequest, inRequest, type RequestContext } from "../../../../core/request-context.ts";
import type { Input } from "../../../../core/contract/schema.ts";
import type { chat, SendResult } from "../../../chat/contract.ts";

export type MessageToSend = Input<typeof chat.send.params>["messages"][number];
export interface SendAttempt {
  readonly message: MessageToSend;
  /** The client gave the clientId, so it can send the message again; without one there is nothing to wait for. */
  readonly isRepeatable: boolean;
  /** Why the message may not go now, e.g. too many. */
  readonly refusal?: unknown;
}
type SendMessages = (messages: readonly MessageToSend[]) => Promise<readonly SendResult[]>;

/** Messages of one call, and those that may wait behind it. */
const maxMessagesPerCall = 200;
const maxWaiting = 1000;
const waitingBound = refusalCounter("send_queue");
/** A refused message that has not come again when its sender was told to try again is given up; if nothing was told, after this. */
const defaultRetryTimeoutMs = 1000;

interface WaitingAttempt extends SendAttempt {
  readonly request: RequestContext | undefined;
  readonly resolve: (sent: SendResult) => void;
  readonly reject: (reason: unknown) => void;
}
/** The first refused message, and what is told to those behind it. */
interface RetryGate {
  readonly clientId: string;
  readonly reason: unknown;
}

export class SendQueue {
  private readonly call: SendMessages;
  private waiting: WaitingAttempt[] = [];
  private retryGate: RetryGate | undefined;
  private isSending = false;

  constructor(call: SendMessages) {
    this.call = call;
  }

  /** Nothing would be lost with it. */
  get isIdle(): boolean {
    return !this.isSending && this.retryGate === undefined;
  }

  /** @throws  the attempt's refusal, or what failed before this message: send again from the first unanswered one */
  send(attempt: SendAttempt): Promise<SendResult> {
    const refusal = this.refusalBehindGate(attempt) ?? attempt.refusal ?? this.refusalIfFull();
    return new Promise((resolve, reject) => {
      const waiting = { ...attempt, request: currentRequest(), resolve, reject };
      if (refusal !== undefined) {
        this.refuse([waiting], refusal);
        return;
      }
      this.waiting.push(waiting);
      if (!this.isSending) void this.drain();
    });
  }

  private refusalBehindGate({ message, isRepeatable }: SendAttempt): unknown {
    if (this.retryGate === undefined) return undefined;
    if (this.retryGate.clientId === message.clientId) this.retryGate = undefined;
    return isRepeatable ? this.retryGate?.reason : undefined;
  }

  private refusalIfFull(): Unavailable | undefined {
    if (this.waiting.length < maxWaiting) return undefined;
    waitingBound.countRefusal();
    return new Unavailable("Too many messages wait, try again");
  }

  private async drain(): Promise<void> {
    this.isSending = true;
    await Promise.resolve(); // what this turn of the event loop still brings goes along
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, maxMessagesPerCall);
      try {
        const answers = await inRequest(batch[0]?.request, () => this.call(batch.map(({ message }) => message)));
        batch.forEach(({ resolve }, index) => resolve(answers[index]!));
        const failed = answers.findIndex((sent) => !sent.ok && sent.error.code === "UNAVAILABLE");
        if (failed >= 0) this.refuse([...batch.slice(failed), ...this.waiting.splice(0)], new Unavailable());
      } catch (error) {
        this.refuse([...batch, ...this.waiting.splice(0)], error);
      }
    }
    this.isSending = false;
  }

  /** Refuses these; the first that can come again is waited for. */
  private refuse(refused: readonly WaitingAttempt[], reason: unknown): void {
    const first = refused.find(({ isRepeatable }) => isRepeatable);
    const { retryAfterMs = defaultRetryTimeoutMs } = (reason as Partial<DomainError>).data ?? {};
    if (first !== undefined && this.retryGate === undefined) this.setRetryGate({ clientId: first.message.clientId, reason }, retryAfterMs);
    for (const { reject } of refused) reject(reason);
  }

  private setRetryGate(gate: RetryGate, timeoutMs: number): void {
    this.retryGate = gate;
    // What was on its way already when it opened is read before it closes.
    startTimeout(timeoutMs, () => {
      if (this.retryGate === gate) this.retryGate = undefined;
    });
  }
}
