/** Checks, before a node starts, how much memory a container or control group allows this process. */

/** With less, the system kills the node while it starts, every time, and the node can't log why. */
export const minMemoryMiB = 128;
const bytesPerMiB = 1024 * 1024;

/**
 * @param limitBytes  `process.constrainedMemory()`: the limit for this process and its children, 0 for none
 * @returns the problem, or undefined
 */
export function memoryLimitProblem(limitBytes: number): string | undefined {
  const limitMiB = Math.floor(limitBytes / bytesPerMiB);
  if (limitBytes <= 0 || limitMiB >= minMemoryMiB) return undefined;
  return `its container limits it to ${limitMiB} MiB of memory, and a node needs at least ${minMemoryMiB}`;
}
