/**
 * Why a store refuses to make an index that a release declares. An index is never made anew: in a rolling upgrade nodes of two
 * releases would flip it, and between drop and build nothing would be unique.
 */
import { StartError } from "../errors.ts";
import type { Collection } from "./store.ts";

const fieldsOf = ({ indexes }: Collection, index: string): string => indexes[index]!.fields.join(", ");

/** The name is taken by an index on other fields, or of other uniqueness. */
export const changedIndex = ({ name }: Collection, index: string): StartError =>
  new StartError(`The index ${index} of ${name} is not the one in the store: give a changed index a new name`);

/** The same fields and uniqueness are there under another name; MongoDB does not keep both. */
export const renamedIndex = ({ name }: Collection, index: string, existing: string): StartError =>
  new StartError(`The index ${index} of ${name} is in the store under the name ${existing}: keep that name`);

/** The data does not allow a unique index. */
export const brokenIndex = (collection: Collection, index: string): StartError =>
  new StartError(`The unique index ${index} of ${collection.name} can't be made: rows have the same ${fieldsOf(collection, index)}`);
