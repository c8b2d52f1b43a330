/**
 * Queues what one socket sends to one chat. One call is in progress at a time, and messages that arrive meanwhile go out together in
 * the next, under the first one's request id. So messages are stored in the order sent, and a busy sender costs few calls. After a
 * refusal that the client can retry, other repeatable messages are refused until the first refused one comes again or a timeout ends:
 * those already on their way would overtake it.
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
  /** The client set the clientId, so it can send the message again. Without one, no retry is awaited. */
  readonly isRepeatable: boolean;
  /** Why the message must not be sent now, for example because of a rate limit. */
  readonly refusal?: unknown;
}
type SendMessages = (messages: readonly MessageToSend[]) => Promise<readonly SendResult[]>;

/** Limits on the messages in one call, and on those waiting for the next. */
const maxMessagesPerCall = 200;
const maxWaiting = 1000;
const waitingBound = refusalCounter("send_queue");
/** How long to wait for a refused message to come again if the refusal has no `retryAfterMs`. */
const defaultRetryTimeoutMs = 1000;

interface WaitingAttempt extends SendAttempt {
  readonly request: RequestContext | undefined;
  readonly resolve: (sent: SendResult) => void;
  readonly reject: (reason: unknown) => void;
}
/** The first refused message, and the error for those behind it. */
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

  /** Whether the queue can be dropped without losing anything. */
  get isIdle(): boolean {
    return !this.isSending && this.retryGate === undefined;
  }

  /** @throws  the attempt's refusal, or the error of an earlier message: send again from the first unanswered one */
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
    return new Unavailable("Too many messages are waiting, try again");
  }

  private async drain(): Promise<void> {
    this.isSending = true;
    await Promise.resolve(); // messages that arrive in the same event loop turn join this call
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

  /** Rejects attempts. If one of them is repeatable, the first such one must come again before others are sent. */
  private refuse(refused: readonly WaitingAttempt[], reason: unknown): void {
    const first = refused.find(({ isRepeatable }) => isRepeatable);
    const { retryAfterMs = defaultRetryTimeoutMs } = (reason as Partial<DomainError>).data ?? {};
    if (first !== undefined && this.retryGate === undefined) this.setRetryGate({ clientId: first.message.clientId, reason }, retryAfterMs);
    for (const { reject } of refused) reject(reason);
  }

  private setRetryGate(gate: RetryGate, timeoutMs: number): void {
    this.retryGate = gate;
    // startTimeout lets what has already arrived be read first, so that messages sent behind the refused one are refused too.
    startTimeout(timeoutMs, () => {
      if (this.retryGate === gate) this.retryGate = undefined;
    });
  }
}
