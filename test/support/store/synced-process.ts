/**
 * Commits to the embedded store while its system calls are traced: ten commits one after another, then a hundred at the same time.
 * Argument: the data folder. Prints a line after each of the ten has returned, and one after all of the hundred have.
 */
import { newId } from "../../../core/ids.ts";
import { insert } from "../../../core/store/store.ts";
import { all, message, messages } from "./collections.ts";
import { openStoreAt } from "./stores.ts";

const db = await (await openStoreAt(["sqlite", process.argv[2]!, ""])).open("chat", all);
const chatId = newId();
const send = (n: number) => db.commit([insert(messages, message(chatId, n))]);
for (let n = 1; n <= 10; n++) {
  await send(n);
  process.stdout.write(`answered ${n}\n`);
}
await Promise.all(Array.from({ length: 100 }, (_, i) => send(11 + i)));
process.stdout.write("answered 110\n");
process.exit(0);
