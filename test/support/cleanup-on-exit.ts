/** What has to be ended when the process ends, or the test file: in Jest a file's own `process` never hears of its end. */
declare global {
  var endings: Set<() => void> | undefined;
}

/** @returns forgets it again */
export function cleanUpOnExit(end: () => void): () => void {
  const endings = (globalThis.endings ??= new Set());
  endings.add(end);
  process.once("exit", end);
  return () => {
    endings.delete(end);
    process.off("exit", end);
  };
}
