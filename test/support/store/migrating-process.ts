/**
 * Migrates a store of `migrating-service.ts` to its last schema, so that a test can kill or freeze the process. Arguments: the store's
 * location, a number of pages, and fault points to arm after so many pages.
 */
import { armFaults, coreFaultPoints } from "../../../core/fault-points.ts";
import { openAs, releases } from "./migrating-service.ts";
import { openStoreAt, silentLogger, type TestStore } from "./stores.ts";

const [adapter, where, mesh, pages, ...faults] = process.argv.slice(2) as [...TestStore["location"], string];
const store = await openStoreAt([adapter, where, mesh]);
const all = releases((before) => before === Number(pages) && armFaults(faults, coreFaultPoints));
await openAs(store, 4, silentLogger, all);
await store.close();
process.exit(0);
