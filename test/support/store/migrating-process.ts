/**
 * A process that leads a store of `migrating-service.ts` to its last schema, to be killed or frozen by a test. Arguments: the store's place, and
 * fault points to arm once so many pages are read.
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
