/** Calls listeners of typed events. */

export class Emitter<E extends object> {
  private readonly listeners: { [K in keyof E]?: Set<(data: E[K]) => void> } = {};

  /** @returns a function that removes the listener */
  on<K extends keyof E>(event: K, listener: (data: E[K]) => void): () => void {
    const known = (this.listeners[event] ??= new Set()).add(listener);
    return () => void known.delete(listener);
  }

  /** Resolves with the next event that `predicate` accepts. */
  next<K extends keyof E>(event: K, predicate: (data: E[K]) => boolean = () => true): Promise<E[K]> {
    return new Promise((resolve) => {
      const stop = this.on(event, (data) => {
        if (!predicate(data)) return;
        stop();
        resolve(data);
      });
    });
  }

  emit<K extends keyof E>(event: K, data: E[K]): void {
    for (const listener of [...(this.listeners[event] ?? [])]) {
      try {
        listener(data);
      } catch (error) {
        // As in the DOM, a listener's error is reported, but stops neither the other listeners nor the caller.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
