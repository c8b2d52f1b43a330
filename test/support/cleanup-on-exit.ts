/**
 * Ends what a test started when the process or the test file ends. Inside Jest `process` is a copy, which emits no `exit`, so the
 * test environment (`jest/environment.js`) calls the functions as well.
 */
declare global {
  var endings: Set<() => void> | undefined;
}

/** @returns cancels it, without calling `end` */
export function cleanUpOnExit(end: () => void): () => void {
  const endings = (globalThis.endings ??= new Set());
  endings.add(end);
  process.once("exit", end);
  return () => {
    endings.delete(end);
    process.off("exit", end);
  };
}
