/**
 * Fault points let a test kill or freeze this process between two steps whose order matters.
 * `FAULTS=outbox.publish=kill` arms one: the first time the process reaches it, it sends itself SIGKILL (`freeze`: SIGSTOP).
 */
const armed = new Map<string, "SIGKILL" | "SIGSTOP">();

export interface FaultPoints<P extends string> {
  readonly points: readonly P[];
  /** Does nothing unless a test armed this point. */
  readonly hit: (point: P) => void;
}

/** Declares fault points. `services/fault-points.ts` lists those of all modules, which `FAULTS` may name. */
export const faultPointsOf = <const P extends string>(...points: readonly P[]): FaultPoints<P> => ({ points, hit });

function hit(point: string): void {
  const signal = armed.get(point);
  if (signal === undefined) return;
  armed.delete(point);
  process.kill(process.pid, signal);
}

/** The fault points of core and of the mixins. */
export const { points: coreFaultPoints, hit: faultPoint } = faultPointsOf(
  "store.commit",
  "schema.page",
  "outbox.publish",
  "backup.rows",
  "backup.files",
  "restore.rows",
  "restore.files",
);

/**
 * @param specs  `<point>=kill` or `<point>=freeze`
 * @param known  the points that can be armed
 * @throws Error  an unknown point or fault
 */
export function armFaults(specs: readonly string[], known: readonly string[]): void {
  armed.clear();
  for (const spec of specs) {
    const [point = "", fault = ""] = spec.split("=");
    const signal = fault === "kill" ? "SIGKILL" : fault === "freeze" ? "SIGSTOP" : undefined;
    if (!known.includes(point) || signal === undefined) throw new Error(`FAULTS: unknown fault "${spec}"`);
    armed.set(point, signal);
  }
}
