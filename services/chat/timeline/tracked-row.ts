/** Tracks which fields of a row a batch sets. The commit writes exactly these, so every field that is set is stored. */
import { insert, update, type Collection, type Doc, type Fields, type Operation, type Where } from "../../../core/store/store.ts";

export class TrackedRow<R extends Doc> {
  private readonly collection: Collection<R>;
  private readonly isNew: boolean;
  private current: R;
  private readonly changed = new Set<keyof R>();

  /** @param row  the row as read, or as first inserted */
  constructor(collection: Collection<R>, row: R, { isNew = false } = {}) {
    this.collection = collection;
    this.isNew = isNew;
    this.current = row;
  }

  /** The row after the commit. */
  get row(): R {
    return this.current;
  }

  set(fields: Partial<R>): void {
    this.current = { ...this.current, ...fields };
    for (const field of Object.keys(fields) as (keyof R)[]) this.changed.add(field);
  }

  /**
   * Inserts a whole new row, or updates only the set fields of an existing one: the others may have changed since it was read.
   * @param where  the row to update
   * @param timed  fields that the store fills in with its time
   */
  write(where: Where<R>, timed: Fields<R> = {}): Operation {
    if (this.isNew) return insert(this.collection, { ...this.current, ...timed });
    // A commit skips undefined fields. To the store null means absent, so a removed field is written as null.
    const set = Object.fromEntries([...this.changed].map((field) => [field, this.current[field] ?? null]));
    return update(this.collection, where, { ...set, ...timed });
  }
}
