/** Runs the demo's steps. Prints each with its duration; the first failure ends the demo. */

/** A step returns undefined if it or an earlier one failed. */
export class Steps {
  private readonly print: (line: string) => void;
  private readonly began = performance.now();
  private passed = 0;
  private failed = false;

  constructor(print: (line: string) => void) {
    this.print = print;
  }

  async run<T>(title: string, step: () => Promise<T>): Promise<T | undefined> {
    if (this.failed) return undefined;
    const began = performance.now();
    try {
      const result = await step();
      this.passed++;
      this.print(`${elapsed(began)}  ${title}`);
      return result;
    } catch (error) {
      this.failed = true;
      this.print(`${elapsed(began)}  ${title}: FAILED\n\n${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Prints the last line. @returns true, since it is called only after success */
  summary(where: string): true {
    this.print(`\n${this.passed} steps in ${Math.round(performance.now() - this.began)} ms: three people can chat ${where}.`);
    return true;
  }
}

const elapsed = (began: number): string => `${Math.round(performance.now() - began)} ms`.padStart(9);

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause === undefined ? message : `${message}\n  because: ${reasonOf(cause)}`;
}
