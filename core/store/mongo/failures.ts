/** MongoDB's failures in the port's words. */
import mongoose from "mongoose";
import { Unavailable } from "../../errors.ts";
import { Duplicate } from "../store.ts";

const { MongoError, MongoServerError } = mongoose.mongo;
const duplicateKey = 11000;
const writeConflict = 112;
const timeExpired = 50;

/** Nothing of the transaction happened, and a repeat may succeed: two writers met, or the primary changed. */
export const isTransient = (error: unknown): boolean =>
  error instanceof MongoError && (error.hasErrorLabel("TransientTransactionError") || error.code === writeConflict);

/** `commitTransaction` was sent, and nobody knows what came of it. */
export const isUnknownOutcome = (error: unknown): boolean =>
  error instanceof MongoError && (error.hasErrorLabel("UnknownTransactionCommitResult") || error.code === timeExpired);

/** The collection and the declared name of the unique index that refused; undefined for any other error. */
export function duplicateOf(error: unknown): Duplicate | undefined {
  if (!(error instanceof MongoError) || error.code !== duplicateKey) return undefined;
  // The server names the index in its text only.
  const [, collection = "", index = ""] = /collection: [^.]+\.(\S+) index: (\S+)/.exec(error.message) ?? [];
  return new Duplicate(collection, index === "_id_" ? "_id" : index);
}

/** @throws Duplicate, Unavailable  in place of MongoDB's own errors; an Error when it refused something as malformed */
export async function withStoreErrors<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof MongoError)) throw error;
    throw duplicateOf(error) ?? (isOwnFault(error) ? new Error(`MongoDB refused a command: ${error.message}`) : new Unavailable());
  }
}

/** A server's answer that is neither about its state nor about other writers. What a bulk write wraps need not be an answer at all. */
const isOwnFault = (error: InstanceType<typeof MongoError>): boolean =>
  error instanceof MongoServerError &&
  !(error.errorResponse instanceof Error && !(error.errorResponse instanceof MongoServerError)) &&
  !isTransient(error) &&
  !isUnknownOutcome(error) &&
  !["RetryableWriteError", "RetryableError", "SystemOverloadedError"].some((label) => error.hasErrorLabel(label));
