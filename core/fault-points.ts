/**
 * Fault points: places where a test can make this process die or freeze for real, between two steps whose order matters.
 * `FAULTS=outbox.publish=kill` arms one: the first time the process gets there, it sends itself SIGKILL (`freeze`: SIGSTOP).
 */
const armed = new Map<string, "SIGKILL" | "SIGSTOP">();

/** The places that can be armed. */
export const faultPoints = [
  "store.commit",
  "schema.page",
  "outbox.publish",
  "media.written",
  "media.judged",
  "media.taken",
  "media.dropped",
  "backup.rows",
  "backup.files",
  "restore.rows",
  "restore.files",
] as const;
export type FaultPoint = (typeof faultPoints)[number];

/**
 * @param specs  `<point>=kill` or `<point>=freeze`
 * @throws Error  an unknown point or fault
 */
export function armFaults(specs: readonly string[]): void {
  armed.clear();
  for (const spec of specs) {
    const [point = "", fault = ""] = spec.split("=");
    const signal = fault === "kill" ? "SIGKILL" : fault === "freeze" ? "SIGSTOP" : undefined;
    if (!faultPoints.includes(point as FaultPoint) || signal === undefined) throw new Error(`FAULTS: unknown fault "${spec}"`);
    armed.set(point, signal);
  }
}

/** Does nothing, unless a test armed this point. */
export function faultPoint(point: FaultPoint): void {
  const signal = armed.get(point);
  if (signal === undefined) return;
  armed.delete(point);
  process.kill(process.pid, signal);
}
