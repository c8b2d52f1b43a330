/**
 * Queues the user's messages until the server has stored them. Each chat sends one message at a time, so that none overtakes one that
 * was lost or rate-limited. A message that may succeed later is sent again, under the same `clientId`, until it is stored. If the
 * server refuses it permanently, it is `failed`, and the next ones go on.
 */
import type { Message } from "../documents.ts";
import { ParleyError } from "../errors.ts";
import type { QueuedMessage } from "./queued-message.ts";

export interface OutboxContext {
  /** Sends one message. @throws ParleyError */
  readonly send: (message: QueuedMessage) => Promise<Message>;
  /** A message is stored. */
  readonly onStored: (message: Message) => void;
  /** A message failed, or is sent again after it failed. */
  readonly onChanged: (message: QueuedMessage) => void;
  /** The queue changed and must be saved. */
  readonly onDirty: () => void;
}

/** INTERNAL may be temporary, but a message that always causes it must not block the ones behind it. */
const maxInternalErrors = 5;
const retryDelay = { firstMs: 500, maxMs: 10_000 } as const;

interface OutboxEntry {
  message: QueuedMessage;
  attempts: number;
  /** Resolves when any answer or event shows that the message is stored; rejects when it fails. */
  readonly outcome: PromiseWithResolvers<Message>;
}

export class Outbox {
  private readonly context: OutboxContext;
  /** By clientId, in the order sent. */
  private readonly entries = new Map<string, OutboxEntry>();
  /** Chats whose queue is being sent. */
  private readonly sendingChats = new Set<string>();
  private isActive = false;
  private isEnded = false;

  constructor(context: OutboxContext) {
    this.context = context;
  }

  /** All pending and failed messages, in the order sent. */
  get messages(): readonly QueuedMessage[] {
    return [...this.entries.values()].map(({ message }) => message);
  }

  add(message: QueuedMessage): void {
    const outcome = Promise.withResolvers<Message>();
    outcome.promise.catch(() => undefined); // callers need not wait for it
    if (message.failure !== undefined) outcome.reject(new ParleyError(message.failure.code, message.failure.message));
    else if (this.isEnded) outcome.reject(clientEndedError());
    this.entries.set(message.clientId, { message, attempts: 0, outcome });
    this.context.onDirty();
    void this.drain(message.chatId);
  }

  /** Sends the queues: the server is reachable. */
  resume(): void {
    this.isActive = true;
    for (const chatId of new Set(this.messages.map(({ chatId }) => chatId))) void this.drain(chatId);
  }

  /** Stops sending until `resume`. */
  pause(): void {
    this.isActive = false;
  }

  /** Ends the outbox. Pending messages are left to the next client on this storage. */
  end(): void {
    this.isEnded = true;
    for (const { outcome } of this.entries.values()) outcome.reject(clientEndedError());
  }

  /** Removes a message that the server has stored. @returns whether it was queued */
  confirm(message: Message): boolean {
    const entry = this.entries.get(message.clientId);
    if (entry === undefined || entry.message.chatId !== message.chatId) return false;
    this.entries.delete(message.clientId);
    this.context.onDirty();
    entry.outcome.resolve(message);
    return true;
  }

  /**
   * Resolves with the stored message.
   * @throws ParleyError  why it failed; OFFLINE: the client ended; NOT_FOUND: no such message is queued
   */
  outcome(clientId: string): Promise<Message> {
    return this.entries.get(clientId)?.outcome.promise ?? Promise.reject(new ParleyError("NOT_FOUND", "No such message is being sent"));
  }

  /** Resolves when no message is pending. @throws ParleyError  OFFLINE: the client ended first */
  async whenEmpty(): Promise<void> {
    await Promise.allSettled([...this.entries.values()].map(({ outcome }) => outcome.promise));
    const isWaiting = this.messages.some(({ failure }) => failure === undefined);
    if (isWaiting && this.isEnded) throw clientEndedError();
    if (isWaiting) await this.whenEmpty();
  }

  /** Sends a failed message again, after the pending ones. */
  retry(clientId: string): void {
    const message = this.removeFailed(clientId);
    if (message === undefined) return;
    const again = { ...message };
    delete again.failure;
    this.add(again);
    this.context.onChanged(again);
  }

  /** Removes a failed message. @returns it */
  discard(clientId: string): QueuedMessage | undefined {
    const message = this.removeFailed(clientId);
    if (message !== undefined) this.context.onDirty();
    return message;
  }

  private removeFailed(clientId: string): QueuedMessage | undefined {
    const message = this.entries.get(clientId)?.message;
    if (message?.failure === undefined) return undefined;
    this.entries.delete(clientId);
    return message;
  }

  private nextEntry(chatId: string): OutboxEntry | undefined {
    for (const entry of this.entries.values()) {
      if (entry.message.chatId === chatId && entry.message.failure === undefined) return entry;
    }
    return undefined;
  }

  private async drain(chatId: string): Promise<void> {
    if (this.sendingChats.has(chatId)) return;
    this.sendingChats.add(chatId);
    for (let next = this.nextEntry(chatId); next !== undefined && this.isActive; next = this.nextEntry(chatId)) await this.sendEntry(next);
    this.sendingChats.delete(chatId);
  }

  private async sendEntry(entry: OutboxEntry): Promise<void> {
    entry.attempts++;
    try {
      const stored = await Promise.race([this.context.send(entry.message), entry.outcome.promise]);
      this.context.onStored(stored);
      this.confirm(stored);
    } catch (error) {
      await this.onError(entry, error as ParleyError);
    }
  }

  private async onError(entry: OutboxEntry, error: ParleyError): Promise<void> {
    const { code, message, isTransient } = error;
    if (!this.entries.has(entry.message.clientId)) return;
    // UNAUTHENTICATED: the session is over. The message stays for the next one.
    const mayPass = isTransient || code === "UNAUTHENTICATED" || (code === "INTERNAL" && entry.attempts < maxInternalErrors);
    if (mayPass) {
      const { retryAfterMs = Math.min(retryDelay.maxMs, retryDelay.firstMs * 2 ** (entry.attempts - 1)) } = error;
      if (this.isActive) await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
      return;
    }
    entry.message = { ...entry.message, failure: { code, message } };
    entry.outcome.reject(error);
    this.context.onDirty();
    this.context.onChanged(entry.message);
  }
}

const clientEndedError = (): ParleyError => new ParleyError("OFFLINE", "The client has ended");
