/** Terminates its store's writer thread during commits. Argument: the data folder. Prints the outcomes as JSON. */
import type { Worker } from "node:worker_threads";
import { newId } from "../../../core/ids.ts";
import { insert } from "../../../core/store/store.ts";
import { all, message, messages } from "./collections.ts";
import { openStoreAt } from "./stores.ts";

let thread: Worker | undefined;
process.on("worker", (started) => (thread = started));
const store = await openStoreAt(["sqlite", process.argv[2]!, ""]);
const db = await store.open("chat", all);
const chatId = newId();
const send = (n: number) => db.commit([insert(messages, message(chatId, n))]);
const attempt = async (numbers: readonly number[]) =>
  (await Promise.allSettled(numbers.map(send))).map((one) => (one.status === "fulfilled" ? "stored" : (one.reason.type as string)));

await send(0);
const first = thread!;
const meeting = attempt(Array.from({ length: 200 }, (_, i) => i + 1));
setImmediate(() => void first.terminate());
const met = await meeting;
const after = await attempt([1001, 1002]);
const stored = (await db.page(messages, { index: "byN", where: { chatId }, limit: 1000 })).map(({ n }) => n);
process.stdout.write(JSON.stringify({ met, after, stored, restarted: thread !== first, health: (await store.health()).ok }));
await store.close();
