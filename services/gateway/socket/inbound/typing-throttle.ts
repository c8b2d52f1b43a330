/**
 * Throttles the typing reports of one socket. Clients report on every key press, and each report would cost a call that reads the
 * store. A report repeated within two seconds gets the answer of the first one.
 */
interface TypingReport {
  readonly isTyping: boolean;
  readonly at: number;
  readonly answer: Promise<unknown>;
}

/** A third of the time after which typing expires, so a client that repeats its report in time is passed on in time. */
const repeatWindowMs = 2000;
/** Chats remembered. The one that had no report for longest is dropped first. */
const maxChats = 20;

export class TypingThrottle {
  private readonly reports = new Map<string, TypingReport>();

  /** @param call  reports to chat @throws  what `call` throws; the report then counts as not made */
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

  /** Passes the next report on to chat, whatever it is. */
  forget(chatId: string): void {
    this.reports.delete(chatId);
  }
}
