/** Translates MongoDB errors to the port's errors. */
import mongoose from "mongoose";
import { Unavailable } from "../../errors.ts";
import { Duplicate } from "../store.ts";

const { MongoError, MongoServerError } = mongoose.mongo;
const duplicateKey = 11000;
const writeConflict = 112;
const timeExpired = 50;

/** The transaction had no effect, and a retry may succeed: two writers collided, or the primary changed. */
export const isTransient = (error: unknown): boolean =>
  error instanceof MongoError && (error.hasErrorLabel("TransientTransactionError") || error.code === writeConflict);

/** `commitTransaction` was sent, but its outcome is unknown. */
export const isUnknownOutcome = (error: unknown): boolean =>
  error instanceof MongoError && (error.hasErrorLabel("UnknownTransactionCommitResult") || error.code === timeExpired);

/** Returns the collection and declared name of the violated unique index; undefined for any other error. */
export function duplicateOf(error: unknown): Duplicate | undefined {
  if (!(error instanceof MongoError) || error.code !== duplicateKey) return undefined;
  // The server names the index only in the message.
  const [, collection = "", index = ""] = /collection: [^.]+\.(\S+) index: (\S+)/.exec(error.message) ?? [];
  return new Duplicate(collection, index === "_id_" ? "_id" : index);
}

/** @throws Duplicate, Unavailable  instead of MongoDB's own errors; an Error if the server rejected a command as malformed */
export async function withStoreErrors<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof MongoError)) throw error;
    throw duplicateOf(error) ?? (isOwnFault(error) ? new Error(`MongoDB refused a command: ${error.message}`) : new Unavailable());
  }
}

/**
 * The server rejected the command itself, not because of its state or of other writers. A bulk write's error may also wrap an error that
 * did not come from the server.
 */
const isOwnFault = (error: InstanceType<typeof MongoError>): boolean =>
  error instanceof MongoServerError &&
  !(error.errorResponse instanceof Error && !(error.errorResponse instanceof MongoServerError)) &&
  !isTransient(error) &&
  !isUnknownOutcome(error) &&
  !["RetryableWriteError", "RetryableError", "SystemOverloadedError"].some((label) => error.hasErrorLabel(label));
