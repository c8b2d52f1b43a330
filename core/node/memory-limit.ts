/** The memory that a container or a control group allows this process, checked before a node starts. */

/** With less a node is killed while it starts, again and again, without a word of its own. */
export const minMemoryMiB = 128;
const bytesPerMiB = 1024 * 1024;

/**
 * @param limitBytes  what this process and its children may use, 0 for no limit: `process.constrainedMemory()`
 * @returns what is wrong with it, or undefined
 */
export function memoryLimitProblem(limitBytes: number): string | undefined {
  const limitMiB = Math.floor(limitBytes / bytesPerMiB);
  if (limitBytes <= 0 || limitMiB >= minMemoryMiB) return undefined;
  return `it may use ${limitMiB} MiB of memory, its container's limit, and a node needs at least ${minMemoryMiB}`;
}
