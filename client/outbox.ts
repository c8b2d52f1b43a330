/**
 * What one has sent and the server has not stored yet: a queue a chat, one message under way at a time, so that nothing overtakes
 * what was refused or lost before it. What may succeed later is sent again, under the same `clientId`, until it is stored; what the
 * server refuses for good is `failed`, and those behind it go on.
 */
import type { Message } from "./documents.ts";
import { ParleyError, type ErrorCode } from "./errors.ts";

export interface Outgoing {
  readonly chatId: string;
  readonly clientId: string;
  readonly text: string;
  readonly replyTo?: string;
  /** Lives in memory only: such a message does not outlast its process. */
  readonly file?: { readonly blob: Blob; readonly name: string };
  /** ISO-8601, by this device's clock. */
  readonly createdAt: string;
  /** Why it was refused for good. */
  failure?: { readonly code: ErrorCode; readonly message: string };
}

export interface OutboxParts {
  /** Sends one message. @throws ParleyError */
  readonly deliver: (message: Outgoing) => Promise<Message>;
  /** It is stored. */
  readonly onStored: (message: Message) => void;
  /** It failed, or is tried again. */
  readonly onChanged: (message: Outgoing) => void;
  /** What waits is another, and is to be saved. */
  readonly onTouched: () => void;
}

/** An error of the server's own may pass; a message that always causes one must not stop those behind it. */
const internalAttempts = 5;
const pause = { firstMs: 500, longestMs: 10_000 } as const;

interface Waiting {
  message: Outgoing;
  attempts: number;
  /** Settled when it is stored, told by whatever came first, or has failed. */
  readonly outcome: PromiseWithResolvers<Message>;
}

export class Outbox {
  private readonly parts: OutboxParts;
  /** By clientId, in the order sent. */
  private readonly waiting = new Map<string, Waiting>();
  /** Chats whose queue is being worked on. */
  private readonly running = new Set<string>();
  private isOpen = false;
  private isEnded = false;

  constructor(parts: OutboxParts) {
    this.parts = parts;
  }

  /** All that waits or failed, in the order sent. */
  get messages(): readonly Outgoing[] {
    return [...this.waiting.values()].map(({ message }) => message);
  }

  has(clientId: string): boolean {
    return this.waiting.has(clientId);
  }

  add(message: Outgoing): void {
    const outcome = Promise.withResolvers<Message>();
    outcome.promise.catch(() => undefined); // whether anyone waits for it is theirs to say
    if (message.failure !== undefined) outcome.reject(new ParleyError(message.failure.code, message.failure.message));
    else if (this.isEnded) outcome.reject(ended());
    this.waiting.set(message.clientId, { message, attempts: 0, outcome });
    this.parts.onTouched();
    void this.run(message.chatId);
  }

  /** The server can be reached. */
  open(): void {
    this.isOpen = true;
    for (const chatId of new Set(this.messages.map(({ chatId }) => chatId))) void this.run(chatId);
  }

  /** It can't. */
  close(): void {
    this.isOpen = false;
  }

  /** It can't any more: what waits is for the next client on this storage. */
  end(): void {
    this.isEnded = true;
    for (const { outcome } of this.waiting.values()) outcome.reject(ended());
  }

  /** A message is known to be stored. @returns whether it waited here */
  settle(message: Message): boolean {
    const waiting = this.waiting.get(message.clientId);
    if (waiting === undefined || waiting.message.chatId !== message.chatId) return false;
    this.waiting.delete(message.clientId);
    this.parts.onTouched();
    waiting.outcome.resolve(message);
    return true;
  }

  /** Resolves with the stored message. @throws ParleyError  why it failed; OFFLINE: the client has ended; NOT_FOUND: no such message waits */
  outcome(clientId: string): Promise<Message> {
    return this.waiting.get(clientId)?.outcome.promise ?? Promise.reject(new ParleyError("NOT_FOUND", "No such message is being sent"));
  }

  /** Resolves when nothing waits any more. @throws ParleyError  OFFLINE: the client has ended before */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.waiting.values()].map(({ outcome }) => outcome.promise));
    const isWaiting = this.messages.some(({ failure }) => failure === undefined);
    if (isWaiting && this.isEnded) throw ended();
    if (isWaiting) await this.settled();
  }

  /** Sends a failed message again, behind what waits. */
  retry(clientId: string): void {
    const message = this.takeFailed(clientId);
    if (message === undefined) return;
    const again = { ...message };
    delete again.failure;
    this.add(again);
    this.parts.onChanged(again);
  }

  /** Forgets a failed message. @returns it */
  discard(clientId: string): Outgoing | undefined {
    const message = this.takeFailed(clientId);
    if (message !== undefined) this.parts.onTouched();
    return message;
  }

  private takeFailed(clientId: string): Outgoing | undefined {
    const message = this.waiting.get(clientId)?.message;
    if (message?.failure === undefined) return undefined;
    this.waiting.delete(clientId);
    return message;
  }

  private next(chatId: string): Waiting | undefined {
    for (const waiting of this.waiting.values()) {
      if (waiting.message.chatId === chatId && waiting.message.failure === undefined) return waiting;
    }
    return undefined;
  }

  private async run(chatId: string): Promise<void> {
    if (this.running.has(chatId)) return;
    this.running.add(chatId);
    for (let next = this.next(chatId); next !== undefined && this.isOpen; next = this.next(chatId)) await this.attempt(next);
    this.running.delete(chatId);
  }

  private async attempt(waiting: Waiting): Promise<void> {
    waiting.attempts++;
    try {
      const stored = await Promise.race([this.parts.deliver(waiting.message), waiting.outcome.promise]);
      this.parts.onStored(stored);
      this.settle(stored);
    } catch (error) {
      await this.refused(waiting, error as ParleyError);
    }
  }

  private async refused(waiting: Waiting, error: ParleyError): Promise<void> {
    const { code, message, isTransient } = error;
    if (!this.waiting.has(waiting.message.clientId)) return;
    // The session is over: it waits for the next one.
    const mayPass = isTransient || code === "UNAUTHENTICATED" || (code === "INTERNAL" && waiting.attempts < internalAttempts);
    if (mayPass) {
      const { retryAfterMs = Math.min(pause.longestMs, pause.firstMs * 2 ** (waiting.attempts - 1)) } = error;
      if (this.isOpen) await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
      return;
    }
    waiting.message = { ...waiting.message, failure: { code, message } };
    waiting.outcome.reject(error);
    this.parts.onTouched();
    this.parts.onChanged(waiting.message);
  }
}

const ended = (): ParleyError => new ParleyError("OFFLINE", "The client has ended");
