/** Tests of the embedded store alone: synced commits, a cut log, a full disk, a dead writer thread, a folder that is refused. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { indexRangeOf } from "../../../core/store/query-checks.ts";
import { pageQuery } from "../../../core/store/sqlite/pages.ts";
import type { Statement } from "../../../core/store/sqlite/statements.ts";
import { tableOf } from "../../../core/store/sqlite/tables.ts";
import { startWriter } from "../../../core/store/sqlite/writer.ts";
import { insert, update, type Database } from "../../../core/store/store.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { stracePath } from "../../support/infrastructure/infra.ts";
import { temporaryFolder } from "../../support/servers/server.ts";
import { all, chats, message, messages, messagesOf } from "../../support/store/collections.ts";
import { openStoreAt, silentLogger } from "../../support/store/stores.ts";

let folder: string;
beforeEach(async () => (folder = await temporaryFolder()));
afterEach(() => rm(folder, { recursive: true }));
const open = (at = folder) => openStoreAt(["sqlite", at, ""]);
/** Returns the one-line error message when the store cannot be opened. */
async function refusal(at = folder): Promise<string> {
  const error = await open(at).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartError);
  const { message } = error as StartError;
  expect(message).not.toContain("\n");
  return message;
}

/** A chat and its nth message in one commit. */
const send = (db: Database, chatId: string, seq: number) =>
  db.commit([update(chats, { _id: chatId, seq: seq - 1 }, { seq }), insert(messages, message(chatId, seq, { text: "x".repeat(seq * 7) }))]);

test("a write-ahead log cut at any byte can be opened, and has exactly the commits whose frames lie before the cut", async () => {
  const store = await open();
  const db = await store.open("chat", all);
  const chatId = newId();
  const log = join(folder, "parley.db-wal");
  await db.commit([insert(chats, { _id: chatId, seq: 0 })]);
  /** The log's size after each commit. */
  const ends = [(await stat(log)).size];
  for (let seq = 1; seq <= 12; seq++) {
    await send(db, chatId, seq);
    ends.push((await stat(log)).size);
  }
  const copy = join(folder, "copy");
  await mkdir(copy);
  const nearEnds = ends.flatMap((end) => [end - 1, end, end + 1]);
  const anywhere = Array.from({ length: 40 }, () => ends[0]! + Math.floor(Math.random() * (ends.at(-1)! - ends[0]!)));
  let seen = 0;
  for (const cut of [...nearEnds, ...anywhere]) {
    await copyFile(join(folder, "parley.db"), join(copy, "parley.db"));
    await copyFile(log, join(copy, "parley.db-wal"));
    await truncate(join(copy, "parley.db-wal"), Math.min(cut, ends.at(-1)!));
    const reopened = await open(copy);
    const rows = await reopened.open("chat", all);
    const expected = ends.filter((end) => end <= cut).length - 1;
    const stored = await messagesOf(rows, chatId);
    expect({ cut, seq: (await rows.get(chats, chatId))?.seq, n: stored.map(({ n }) => n) }).toEqual({
      cut,
      seq: expected < 0 ? undefined : expected,
      n: Array.from({ length: Math.max(expected, 0) }, (_, i) => i + 1),
    });
    expect(stored.every(({ n, text }) => text === "x".repeat(n * 7))).toBe(true);
    if (expected >= 0) await send(rows, chatId, expected + 1);
    await reopened.close();
    seen++;
  }
  expect(seen).toBe(79);
  await store.close();
});

test("the writer's own connection syncs the log at every commit", async () => {
  await (await open()).close();
  const writer = await startWriter(join(folder, "parley.db"), silentLogger);
  // Ask the writer: the pragma belongs to its connection, and no other connection can read it.
  const statements = writer.statements.list as Statement[];
  const isAt = async (level: number) => {
    const number = statements.push({ sql: `SELECT 1 FROM pragma_synchronous WHERE synchronous = ${level}`, must: "find" }) - 1;
    return (await writer.write([[number, []]])) === undefined;
  };
  // OFF, NORMAL, FULL, EXTRA.
  const levels = [await isAt(0), await isAt(1), await isAt(2), await isAt(3)];
  await writer.close();
  expect(levels).toEqual([false, false, true, false]);
});

describeWith(["strace"], "A commit", () => {
  test("is synced to disk once before it returns, and commits made together share a sync", async () => {
    const trace = join(folder, "trace");
    const options = ["-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", trace];
    await ended(
      spawn(stracePath(), [...options, process.execPath, program("synced-process.ts"), folder], { stdio: ["ignore", "ignore", "inherit"] }),
    );
    const calls = syncsAndAnswers(await readFile(trace, "utf8"));
    const numbers = [2, 3, 4, 5, 6, 7, 8, 9, 10, 110];
    // Before the first commit returns, the log is created and synced as well.
    expect(calls.slice(calls.indexOf("answered 1") + 1)).toEqual(numbers.flatMap((n) => ["synced", `answered ${n}`]));
  });
});

/** Lists, from a trace, the ends of syncs of the write-ahead log and the lines that the program printed for returned commits. */
function syncsAndAnswers(trace: string): string[] {
  const calls: string[] = [];
  const syncing = new Set<string>();
  for (const line of trace.split("\n")) {
    const thread = line.split(" ", 1)[0]!;
    const answer = /"(answered \d+)\\n"/.exec(line)?.[1];
    if (answer !== undefined) calls.push(answer);
    // A call is on two lines when another thread's call comes between its beginning and its end.
    else if (/ f(?:data)?sync\(\d+<.*-wal> <unfinished/.test(line)) syncing.add(thread);
    else if (/ f(?:data)?sync\(\d+<.*-wal>\) += 0$/.test(line)) calls.push("synced");
    else if (/ f(?:data)?sync resumed>\) += 0$/.test(line) && syncing.delete(thread)) calls.push("synced");
  }
  return calls;
}

// The program limits itself with prlimit, which only Linux has.
(process.platform === "linux" ? test : test.skip)(
  "commits fail as a whole while the disk is full, and succeed when there is room again",
  async () => {
    const seen = JSON.parse(await printed("full-disk-process.ts", folder)) as object;
    expect(seen).toEqual({
      before: ["stored", "stored"],
      full: ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"],
      whileFull: { seq: 2, health: false },
      after: ["stored", "stored"],
      seq: 7,
      stored: [1, 2, 6, 7],
      health: true,
    });
  },
);

test("when the writer thread dies, pending commits settle and a new thread replaces it", async () => {
  const seen = JSON.parse(await printed("dead-thread-process.ts", folder)) as { met: string[]; stored: number[] };
  expect(seen).toMatchObject({ after: ["stored", "stored"], restarted: true, health: true });
  expect(new Set(seen.met).size).toBe(1);
  // The group was one transaction: the thread committed all of it or nothing.
  expect([3, 203]).toContain(seen.stored.length);
});

test("one process at a time can open a data folder, and its kill frees the folder", async () => {
  const chatId = newId();
  const store = await open();
  await (await store.open("chat", all)).commit([insert(chats, { _id: chatId, seq: 0 })]);
  expect(await refusal()).toMatch(/in use by another process/);
  await store.close();

  const holder = spawn(process.execPath, [program("writer-process.ts"), "sqlite", folder, "", chatId, "1000000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  expect(await refusal()).toMatch(/in use by another process/);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const again = await open();
  expect((await (await again.open("chat", all)).get(chats, chatId))!.seq).toBeGreaterThan(0);
  await again.close();
});

test("a folder that cannot be created or written stops the start with a one-line error", async () => {
  await writeFile(join(folder, "file"), "");
  expect(await refusal(join(folder, "file"))).toMatch(/DATA_DIR .*file can't be written/);
  expect(await refusal(join(folder, "file", "below"))).toMatch(/DATA_DIR .*below can't be written/);
});

test("a file that is not a database stops the start with a one-line error, and stays unchanged", async () => {
  await writeFile(join(folder, "parley.db"), "this is not a database, but long enough to be looked at".repeat(50));
  expect(await refusal()).toMatch(/parley.db can't be opened.*not a database/);
  expect(await readFile(join(folder, "parley.db"), "utf8")).toMatch(/^this is not a database/);
});

test("data of a newer release is refused, and stays unchanged", async () => {
  await (await open()).close();
  const file = new DatabaseSync(join(folder, "parley.db"));
  file.exec("PRAGMA user_version = 1000");
  expect(await refusal()).toMatch(/parley.db was written by a newer release.*1000/);
  expect(file.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1000 });
  file.close();
});

test("a page's query reads its index and sorts nothing, with any bounds", async () => {
  const store = await open();
  const db = await store.open("chat", all);
  const chatId = newId();
  await db.commit([insert(chats, { _id: chatId, seq: 0, changedAt: 1 }), insert(messages, message(chatId, 1))]);
  const plans: string[][] = [];
  const connection = new DatabaseSync(join(folder, "parley.db"));
  const queries = [
    { from: messages, index: "byN", where: { chatId } },
    { from: messages, index: "byN", where: { chatId }, after: [1], before: [5], order: "desc" },
    { from: messages, index: "byClientId", where: { chatId }, after: ["a", "b"] },
    { from: chats, index: "byChangedAt", after: [1, chatId], before: [7] },
    { from: chats, index: "byChangedAt", order: "desc" },
  ] as const;
  for (const { from, ...query } of queries) {
    const { sql } = pageQuery(tableOf("chat", from), indexRangeOf(from, { ...query, limit: 10 }), query.index);
    plans.push((connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]).map(({ detail }) => detail));
  }
  connection.close();
  await store.close();
  expect(plans).toEqual(queries.map(({ index }) => [expect.stringMatching(new RegExp(`^(SEARCH|SCAN) \\w+ USING INDEX \\w+_${index}`))]));
});

const program = (name: string) => fileURLToPath(new URL(`../../support/store/${name}`, import.meta.url));

/** Runs a program of test/support/store to its end. @returns its output */
async function printed(name: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [program(name), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = await Promise.all([text(child.stdout), ended(child)]);
  return output;
}

/** Waits until the program has exited with 0. */
async function ended(child: ChildProcess): Promise<void> {
  expect(await once(child, "exit")).toEqual([0, null]);
}
