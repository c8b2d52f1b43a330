/**
 * Where a client keeps what it holds between two runs: records by key, each written whole. Every record is consistent by itself, so
 * a run may end between any two writes.
 */
export type Records = Readonly<Record<string, unknown>>;

/** Belongs to one client at a time: two tabs need two. */
export interface Storage {
  /** Everything saved, by key. */
  load(): Records | Promise<Records>;
  /** Writes a record, JSON, whole or not at all; undefined removes it. One is written at a time. */
  save(key: string, record: unknown): void | Promise<void>;
}

/** Lasts as long as the process. */
export class MemoryStorage implements Storage {
  private readonly records = new Map<string, string>();

  load(): Records {
    return Object.fromEntries([...this.records].map(([key, text]) => [key, JSON.parse(text) as unknown]));
  }

  save(key: string, record: unknown): void {
    if (record === undefined) this.records.delete(key);
    else this.records.set(key, JSON.stringify(record));
  }
}

/** The part of a browser's `localStorage` that is used here. */
export interface KeyValues {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A browser's `localStorage`, or anything like it. */
export class LocalStorage implements Storage {
  private readonly area: KeyValues;
  private readonly prefix: string;

  /** @param name  keeps clients apart that share the area */
  constructor(name = "parley", area: KeyValues = (globalThis as { localStorage: KeyValues }).localStorage) {
    this.area = area;
    this.prefix = `${name}/`;
  }

  load(): Records {
    const keys = Array.from({ length: this.area.length }, (_, index) => this.area.key(index) ?? "");
    const mine = keys.filter((key) => key.startsWith(this.prefix));
    return Object.fromEntries(mine.flatMap((key) => this.read(key).map((record) => [key.slice(this.prefix.length), record] as const)));
  }

  /** None, where someone else has written there. */
  private read(key: string): unknown[] {
    try {
      return [JSON.parse(this.area.getItem(key) ?? "")];
    } catch {
      return [];
    }
  }

  save(key: string, record: unknown): void {
    if (record === undefined) this.area.removeItem(this.prefix + key);
    else this.area.setItem(this.prefix + key, JSON.stringify(record));
  }
}
