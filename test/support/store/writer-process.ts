/**
 * A program that writes to a store as another process would, to be killed or frozen by a test. Arguments: the store's place, how
 * many messages to write to which chat, and fault points to arm. Prints a line for each commit that was answered.
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
