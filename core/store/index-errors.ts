/**
 * Errors for indexes that a store refuses to create. An existing index is never rebuilt: during a rolling upgrade, nodes of two releases
 * would keep replacing it, and between drop and build nothing would be unique.
 */
import { StartError } from "../errors.ts";
import type { Collection } from "./store.ts";

const fieldsOf = ({ indexes }: Collection, index: string): string => indexes[index]!.fields.join(", ");

/** An index with this name exists, with other fields or another uniqueness. */
export const changedIndex = ({ name }: Collection, index: string): StartError =>
  new StartError(`The index ${index} of ${name} differs from the index of that name in the store: give a changed index a new name`);

/** An index with the same fields and uniqueness exists under another name. MongoDB doesn't keep both, so no adapter does. */
export const renamedIndex = ({ name }: Collection, index: string, existing: string): StartError =>
  new StartError(`The index ${index} of ${name} already exists under the name ${existing}: keep that name`);

/** Existing rows violate a new unique index. */
export const brokenIndex = (collection: Collection, index: string): StartError =>
  new StartError(
    `The unique index ${index} of ${collection.name} can't be created: several rows have the same ${fieldsOf(collection, index)}`,
  );
