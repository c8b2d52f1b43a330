/**
 * `node bench/backup.ts [--messages 1000000] [--files 10000] [--file-kb 60] [--mesh]`: measures the time and memory of a backup and a
 * restore of that much data, and the size of the file. Not part of `npm run bench`, because it fills some gigabytes of disk. With --mesh
 * the data is also restored into a mesh (without nodes) and backed up from there.
 */
import { randomBytes } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { openDiskBlobs } from "../core/blobs/disk.ts";
import { newId } from "../core/ids.ts";
import { openSqliteStore } from "../core/store/sqlite/store.ts";
import { insert, type Operation } from "../core/store/store.ts";
import { chats, files, members, messages, type MessageRow } from "../services/chat/store/collections.ts";
import { openChats } from "./seed/chats.ts";
import { files as mediaFiles } from "../services/media/files.repository.ts";
import { startCommand } from "../test/support/servers/commands.ts";
import setUpInfra, { tearDownInfra } from "../test/support/jest/infra.setup.ts";
import { amqpUrl, mongoUri, redisUrl } from "../test/support/infrastructure/infra.ts";
import { residentMb } from "../test/support/memory.ts";
import { cleanUpMesh } from "../test/support/mesh/cleanup.ts";
import { temporaryFolder, type ServerEnv } from "../test/support/servers/server.ts";
import { silentLogger } from "../test/support/store/stores.ts";

const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
const options = {
  messages: text("1000000"),
  files: text("10000"),
  "file-kb": text("60"),
  mesh: { type: "boolean", default: false },
} as const;
const { values } = parseArgs({ options });
const perChat = 1000;
const perCommit = 1000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Fills a data folder with direct chats of 1,000 messages each, and adds files to the first ones. */
async function fill(folder: string, messageCount: number, fileCount: number, fileBytes: number): Promise<void> {
  const store = await openSqliteStore(folder, { log: silentLogger });
  const db = await openChats(store);
  const media = await store.open("media", [mediaFiles]);
  const blobs = await openDiskBlobs(join(folder, "blobs"), { log: silentLogger });
  const now = Date.now();
  for (let made = 0, fileLeft = fileCount; made < messageCount; made += perChat) {
    const people = [newId(), newId()].sort();
    const chatId = newId();
    const rows = Array.from({ length: perChat }, (_, index) => message(chatId, people[index % 2]!, index + 1, now));
    const withFiles = rows.slice(0, Math.min(fileLeft, perChat));
    fileLeft -= withFiles.length;
    const fileIds = new Map(withFiles.map(({ _id }) => [_id, newId()]));
    const operations: Operation[] = [
      insert(chats, {
        _id: chatId,
        kind: "direct",
        pair: people.join(":"),
        relation: { state: "accepted", rev: 2 },
        n: perChat,
        seq: perChat + 1,
        sharedSeq: 1,
        changedAt: now,
        memberCount: 2,
        adminCount: 0,
        preview: null,
        lastActivityAt: now,
        createdAt: now,
      }),
      ...people.map((userId) =>
        insert(members, {
          _id: newId(),
          chatId,
          userId,
          role: "member",
          joinedN: 0,
          joinedSeq: 1,
          leftSeq: null,
          changedSeq: 1,
          changedAt: now,
          deliveredN: 0,
          readN: 0,
        }),
      ),
      ...rows.map((row) => {
        const fileId = fileIds.get(row._id);
        return insert(messages, fileId === undefined ? row : { ...row, kind: "file", file: fileOf(fileId, fileBytes) });
      }),
      ...[...fileIds].map(([messageId, fileId]) => insert(files, { _id: fileId, ...fileOf(fileId, fileBytes), chatId, messageId })),
    ];
    for (let from = 0; from < operations.length; from += perCommit) await db.commit(operations.slice(from, from + perCommit));
    for (const [index, fileId] of [...fileIds.values()].entries()) {
      await blobs.write(fileId, Readable.from([randomBytes(fileBytes)]), fileBytes);
      const { name, mimeType, size, hasThumb } = fileOf(fileId, fileBytes);
      const judged = { name, mimeType, size, width: null, height: null, hasThumb };
      const row = { _id: fileId, ownerId: people[index % 2]!, purpose: "message", state: "kept", since: now, expiresAt: now } as const;
      await media.commit([insert(mediaFiles, { ...row, ...judged })]);
    }
  }
  await blobs.close();
  await store.close();
}

const fileOf = (fileId: string, size: number) => ({
  fileId,
  name: "file.bin",
  mimeType: "application/octet-stream",
  size,
  hasThumb: false,
});

const words = "the quick brown fox jumps over the lazy dog and says nothing of it to anyone who might have asked for more";
const message = (chatId: string, senderId: string, n: number, now: number): MessageRow => ({
  _id: newId(),
  chatId,
  n,
  seq: n + 1,
  kind: "text",
  senderId,
  authorId: senderId,
  clientId: newId(),
  bodyHash: randomBytes(16).toString("hex"),
  text: words.slice(0, 20 + ((n * 37) % (words.length - 20))),
  replyTo: null,
  createdAt: now,
  editedAt: null,
  deletedAt: null,
});

/** Runs a command and samples its memory. */
async function measured(what: string, name: "backup" | "restore", args: readonly string[], env: ServerEnv): Promise<void> {
  const began = performance.now();
  const running = startCommand(name, args, env);
  let peakMb = 0;
  const timer = setInterval(() => (peakMb = Math.max(peakMb, residentMb(running.pid) ?? 0)), 50);
  const { code, err, out } = await running.ended;
  clearInterval(timer);
  if (code !== 0) throw new Error(`${what}: ${err}`);
  print(
    `${what}: ${((performance.now() - began) / 1000).toFixed(1)} s, peak memory ${peakMb} MB, load ${loadavg()[0]!.toFixed(1)}\n  ${out.trim()}`,
  );
}

const folder = await temporaryFolder();
const at = (name: string): string => join(folder, name);
const sizeOf = async (file: string): Promise<string> => `${((await stat(file)).size / 1e6).toFixed(0)} MB`;
try {
  await fill(at("source"), Number(values.messages), Number(values.files), Number(values["file-kb"]) * 1024);
  print(
    `filled: ${values.messages} messages, ${values.files} files of ${values["file-kb"]} KiB; the store's size is ${await sizeOf(at("source/parley.db"))}`,
  );
  await measured("backup, embedded", "backup", ["--to", at("one.tar")], { DATA_DIR: at("source") });
  print(`the file's size is ${await sizeOf(at("one.tar"))}`);
  await measured("check (--dry-run)", "restore", ["--from", at("one.tar"), "--dry-run"], { DATA_DIR: at("target") });
  await measured("restore, embedded", "restore", ["--from", at("one.tar")], { DATA_DIR: at("target") });
  if (values.mesh) {
    await setUpInfra();
    const MESH = `bench-${randomBytes(4).toString("hex")}`;
    const env = { MESH, AMQP_URL: amqpUrl(), REDIS_URL: redisUrl(), MONGO_URI: mongoUri(), JWT_SECRET: randomBytes(32).toString("hex") };
    try {
      await measured("restore, mesh", "restore", ["--from", at("one.tar")], env);
      await measured("backup, mesh", "backup", ["--to", at("two.tar")], env);
    } finally {
      await cleanUpMesh(env);
      await tearDownInfra();
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
