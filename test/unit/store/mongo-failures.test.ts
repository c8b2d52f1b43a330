/** MongoDB's failures in the store's words: what went wrong on the way to it may be repeated, what it refused may not. */
import { expect, test } from "@jest/globals";
import mongoose from "mongoose";
import { withStoreErrors } from "../../../core/store/mongo/failures.ts";

const { MongoBulkWriteError, MongoNetworkError, MongoServerError } = mongoose.mongo;
/** As the driver makes them. */
const network = new MongoNetworkError("read ECONNRESET");
const refused = new MongoServerError({ message: "Document failed validation", code: 121 });
// eslint-disable-next-line no-restricted-syntax -- nobody looks at the result, and only the driver can make one
const bulk = (error: Error) => new MongoBulkWriteError(error, {} as never);

test.each([
  ["a lost connection", network, "UNAVAILABLE"],
  ["a connection lost under a bulk write", bulk(network), "UNAVAILABLE"],
  ["a refusal", refused, undefined],
  ["a refusal of a bulk write", bulk(refused), undefined],
])("%s", async (_, error, type) => {
  const thrown = await withStoreErrors(() => Promise.reject(error)).catch((told: unknown) => told);
  expect((thrown as { type?: string }).type).toBe(type);
});
