/**
 * Writes to a store, so that a test can kill or freeze the process. Arguments: the store's location, the chat, how many messages to
 * write, and fault points to arm. Prints a line for each commit that has returned.
 */
import { armFaults, coreFaultPoints } from "../../../core/fault-points.ts";
import { insert, update } from "../../../core/store/store.ts";
import { all, chats, message, messages } from "./collections.ts";
import { openStoreAt, type TestStore } from "./stores.ts";

const [adapter, where, mesh, chatId, count, ...faults] = process.argv.slice(2) as [...TestStore["location"], string, string];
const db = await (await openStoreAt([adapter, where, mesh])).open("chat", all);
armFaults(faults, coreFaultPoints);
const from = (await db.get(chats, chatId))!.seq;
for (let seq = from + 1; seq <= from + Number(count); seq++) {
  await db.commit([update(chats, { _id: chatId, seq: seq - 1 }, { seq }), insert(messages, message(chatId, seq))]);
  process.stdout.write(`${seq}\n`);
}
process.exit(0);
