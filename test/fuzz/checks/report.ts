/** Counts the findings of a fuzz run, keeps the smallest call that shows each, and formats the table. */

export const findingKinds = {
  broken: "5xx answers",
  crashed: "crashes",
  internal: "internals revealed",
  undocumented: "answers not as documented",
  silent: "calls without an answer",
  letIn: "unauthorized calls allowed",
  stored: "stored by a refused call",
  logged: "errors logged",
  handles: "file handles leaked",
  memory: "bytes leaked beyond the limit",
} as const;
export type FindingKind = keyof typeof findingKinds;

/** The table's columns. */
export const fuzzParts = ["routes", "events", "bursts", "limits on"] as const;
export type FuzzPart = (typeof fuzzParts)[number];

interface FuzzFinding {
  readonly count: number;
  readonly smallest: string;
}
const maxShownLength = 1500;
const maxShown = 30;

export class FuzzReport {
  /** Figures that are printed, but are not findings. */
  readonly notes: string[] = [];
  private readonly calls = new Map<FuzzPart, number>();
  private readonly refused = new Map<FuzzPart, number>();
  private readonly counts = new Map<string, number>();
  /** By kind and by route or event. */
  private readonly findings = new Map<string, FuzzFinding>();

  called(part: FuzzPart, isRefused: boolean): void {
    this.calls.set(part, (this.calls.get(part) ?? 0) + 1);
    if (isRefused) this.refused.set(part, (this.refused.get(part) ?? 0) + 1);
  }

  /** @param where  the route or event @param shown  the call and its outcome */
  found(part: FuzzPart, fault: FindingKind, where: string, shown: string, times = 1): void {
    const key = `${part} ${fault}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + times);
    const at = `${findingKinds[fault]}: ${where}`;
    const { count, smallest } = this.findings.get(at) ?? { count: 0, smallest: shown };
    this.findings.set(at, { count: count + times, smallest: shown.length < smallest.length ? shown : smallest });
  }

  get total(): number {
    return [...this.calls.values()].reduce((sum, one) => sum + one, 0);
  }
  count(fault: FindingKind): number {
    return fuzzParts.reduce((sum, part) => sum + (this.counts.get(`${part} ${fault}`) ?? 0), 0);
  }
  get isClean(): boolean {
    return this.findings.size === 0;
  }

  /** The table, then the findings. */
  text(): string {
    const row = (name: string, of: (part: FuzzPart) => number) => [name, ...fuzzParts.map((part) => String(of(part)))];
    const rows = [
      ["", ...fuzzParts],
      row("calls", (part) => this.calls.get(part) ?? 0),
      row("refused calls", (part) => this.refused.get(part) ?? 0),
      ...(Object.keys(findingKinds) as FindingKind[]).map((fault) =>
        row(findingKinds[fault], (part) => this.counts.get(`${part} ${fault}`) ?? 0),
      ),
    ];
    const table = rows.map(([name = "", ...figures]) => `${name.padEnd(36)}${figures.map((one) => one.padStart(11)).join("")}`);
    const found = [...this.findings]
      .slice(0, maxShown)
      .map(([at, { count, smallest }]) => `\n${count} × ${at}\n${smallest.slice(0, maxShownLength)}`);
    const hidden = this.findings.size - found.length;
    return [...table, ...this.notes, ...found, ...(hidden > 0 ? [`\nand ${hidden} more findings`] : [])].join("\n");
  }
}
