/**
 * Defines where a client saves its records, by key, and implements it in memory and on `localStorage`. Each record is consistent by
 * itself, so the process may end between any two writes.
 */

export type Records = Readonly<Record<string, unknown>>;

/** Used by one client at a time: two tabs need two storages. */
export interface Storage {
  /** All saved records, by key. A record that cannot be read is undefined: it has a key, so that it can be removed. */
  load(): Records | Promise<Records>;
  /** Writes a JSON record, completely or not at all; undefined removes it. Not called again until the previous call has finished. */
  save(key: string, record: unknown): void | Promise<void>;
}

/** Keeps records until the process ends. */
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

/** The properties and methods of `localStorage` that are used. */
export interface KeyValues {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Keeps records in a browser's `localStorage`, or in anything like it. */
export class LocalStorage implements Storage {
  private readonly area: KeyValues;
  private readonly prefix: string;

  /**
   * @param name  separates the clients that share the area
   * @throws TypeError  the name contains "/", so its records could be those of another name
   */
  constructor(name = "parley", area: KeyValues = (globalThis as { localStorage: KeyValues }).localStorage) {
    if (name.includes("/")) throw new TypeError(`The name of a storage must not contain "/": ${name}`);
    this.area = area;
    this.prefix = `${name}/`;
  }

  load(): Records {
    const keys = Array.from({ length: this.area.length }, (_, index) => this.area.key(index) ?? "");
    const mine = keys.filter((key) => key.startsWith(this.prefix));
    return Object.fromEntries(mine.map((key) => [key.slice(this.prefix.length), this.read(key)]));
  }

  /** @returns undefined if the value is not JSON */
  private read(key: string): unknown {
    try {
      return JSON.parse(this.area.getItem(key) ?? "");
    } catch {
      return undefined;
    }
  }

  save(key: string, record: unknown): void {
    if (record === undefined) this.area.removeItem(this.prefix + key);
    else this.area.setItem(this.prefix + key, JSON.stringify(record));
  }
}
