/**
 * Commits while the disk is full: a limit on the size of this process's files makes SQLite's writes fail, until it is lifted.
 * Argument: the data folder. Prints, as JSON, the outcomes of commits before, during and after the limit.
 */
import { spawnSync } from "node:child_process";
import { newId } from "../../../core/ids.ts";
import { insert, update } from "../../../core/store/store.ts";
import { all, chats, message, messages } from "./collections.ts";
import { openStoreAt } from "./stores.ts";

const limitFiles = (bytes: string) => {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
};
const store = await openStoreAt(["sqlite", process.argv[2]!, ""]);
const db = await store.open("chat", all);
const chatId = newId();
await db.commit([insert(chats, { _id: chatId, seq: 0 })]);
const send = (n: number, size: number) =>
  db.commit([update(chats, { _id: chatId }, { seq: n }), insert(messages, message(chatId, n, { text: "x".repeat(size) }))]);
const attempt = async (numbers: readonly number[], size: number) =>
  (await Promise.allSettled(numbers.map((n) => send(n, size)))).map((one) =>
    one.status === "fulfilled" ? "stored" : (one.reason.type as string),
  );

const before = await attempt([1, 2], 10);
limitFiles("300000");
const full = await attempt([3, 4, 5], 500_000);
const whileFull = { seq: (await db.get(chats, chatId))!.seq, health: (await store.health()).ok };
limitFiles("unlimited");
const after = await attempt([6, 7], 500_000);
const { seq } = (await db.get(chats, chatId))!;
const stored = (await db.page(messages, { index: "byN", where: { chatId }, limit: 100 })).map(({ n }) => n);
process.stdout.write(JSON.stringify({ before, full, whileFull, after, seq, stored, health: (await store.health()).ok }));
await store.close();
