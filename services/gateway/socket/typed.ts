/**
 * What one socket said lately of its typing. Clients say so at every key, and each time would cost a call that reads the store;
 * said again within two seconds it is answered as the first time was.
 */
interface Said {
  readonly isTyping: boolean;
  readonly at: number;
  readonly answer: Promise<unknown>;
}

/** Less than a third of the time after which typing is forgotten, so that a client that repeats it in time is heard in time. */
const sameWithinMs = 2000;
/** Chats remembered; the one longest not typed in makes room for another. */
const kept = 20;

export class Typed {
  private readonly said = new Map<string, Said>();

  /** @param call  tells chat @throws  what it throws; then nothing was said */
  async say({ chatId, isTyping }: { chatId: string; isTyping: boolean }, call: () => Promise<unknown>): Promise<void> {
    const last = this.said.get(chatId);
    if (last?.isTyping === isTyping && performance.now() - last.at < sameWithinMs) {
      await last.answer;
      return;
    }
    const said = { isTyping, at: performance.now(), answer: call() };
    this.said.delete(chatId);
    this.said.set(chatId, said);
    if (this.said.size > kept) this.said.delete(this.said.keys().next().value!);
    try {
      await said.answer;
    } catch (error) {
      if (this.said.get(chatId) === said) this.said.delete(chatId);
      throw error;
    }
  }

  /** Whatever is said next is news. */
  forget(chatId: string): void {
    this.said.delete(chatId);
  }
}
