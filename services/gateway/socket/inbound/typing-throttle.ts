/**
 * What one socket said lately of its typing. Clients say so at every key, and each time would cost a call that reads the store;
 * said again within two seconds it is answered as the first time was.
 */
interface TypingReport {
  readonly isTyping: boolean;
  readonly at: number;
  readonly answer: Promise<unknown>;
}

/** Less than a third of the time after which typing is forgotten, so that a client that repeats it in time is heard in time. */
const repeatWindowMs = 2000;
/** Chats remembered; the one longest not typed in makes room for another. */
const maxChats = 20;

export class TypingThrottle {
  private readonly reports = new Map<string, TypingReport>();

  /** @param call  tells chat @throws  what it throws; then nothing was said */
  async report({ chatId, isTyping }: { chatId: string; isTyping: boolean }, call: () => Promise<unknown>): Promise<void> {
    const last = this.reports.get(chatId);
    if (last?.isTyping === isTyping && performance.now() - last.at < repeatWindowMs) {
      await last.answer;
      return;
    }
    const report = { isTyping, at: performance.now(), answer: call() };
    this.reports.delete(chatId);
    this.reports.set(chatId, report);
    if (this.reports.size > maxChats) this.reports.delete(this.reports.keys().next().value!);
    try {
      await report.answer;
    } catch (error) {
      if (this.reports.get(chatId) === report) this.reports.delete(chatId);
      throw error;
    }
  }

  /** Whatever is said next is news. */
  forget(chatId: string): void {
    this.reports.delete(chatId);
  }
}
