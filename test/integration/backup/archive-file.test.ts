/** Backs up and restores an embedded server with the operator's commands. A restore brings back exactly one moment, or fails with one clear line. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { entryBytes, sha256 } from "../../../core/backup/tar.ts";
import { ArchiveWriter, renameWhole } from "../../../core/backup/archive-writer.ts";
import { MemoryStorage, Parley } from "../../../client/index.ts";
import { readArchive, plain } from "../../support/store/archives.ts";
import { openDevice, texts, eventsOf } from "../../support/client/devices.ts";
import { command, runOrThrow, refusal, startCommand } from "../../support/servers/commands.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { isFrozen } from "../../support/fault-injection/freeze.ts";
import { gpsPhoto } from "../../support/files/images.ts";
import type { Person } from "../../support/people/person.ts";
import { freePort, startEmbedded, temporaryFolder, type EmbeddedServer } from "../../support/servers/server.ts";
import { openSmallDisk } from "../../support/fault-injection/small-disk.ts";

const password = "Correct-Horse-7";
const ns = (messages: readonly { readonly n: number }[]) => messages.map(({ n }) => n);
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

let folder: string;
const at = (name: string): string => join(folder, name);
const env = (name: string) => ({ DATA_DIR: at(name) });
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

/** Sends one message after another until `stop` is called. @returns the number of acknowledged messages */
function load(who: Person, chatId: string): { readonly sent: () => number; readonly stop: () => Promise<number> } {
  let sent = 0;
  const stopping = new AbortController();
  const sending = (async () => {
    const line = await who.connect();
    while (!stopping.signal.aborted) {
      await line.callOrThrow("sendMessage", { chatId, text: `load ${sent + 1}` });
      sent++;
    }
    line.close();
  })();
  return {
    sent: () => sent,
    async stop() {
      stopping.abort();
      await sending;
      return sent;
    },
  };
}

async function sendPhoto(who: Person, chatId: string): Promise<void> {
  const form = new FormData();
  form.set("chatId", chatId);
  form.set("file", new Blob([new Uint8Array(await gpsPhoto(60, 40))], { type: "image/jpeg" }), "photo.jpg");
  const { status, body } = await who.post("/chat/send-file", form);
  if (status !== 201) throw new Error(`send-file answered ${status}: ${JSON.stringify(body)}`);
}

/** All messages of a chat, as the server returns them. */
async function history(who: Person, chatId: string): Promise<{ n: number; text: string; _id: string }[]> {
  const found: { n: number; text: string; _id: string }[] = [];
  for (;;) {
    const { status, body } = await who.get(`/chat/messages/${chatId}?after=${found.length}&limit=100`);
    if (status !== 200) throw new Error(`history answered ${status}`);
    if (body.length === 0) return found;
    found.push(...body);
  }
}

describe("a server that was backed up under load, changed, and restored", () => {
  let server: EmbeddedServer;
  let port: number;
  let people: { a: Person; b: Person; chatId: string };
  let storage: MemoryStorage;
  let later: { readonly otherChatId: string; readonly total: number };
  const file = () => at("one.tar");

  beforeAll(async () => {
    port = await freePort();
    server = await startEmbedded({ dataDir: at("source"), port });
    const made = factory(() => [server.url]);
    people = await made.pair();
    const { a, b, chatId } = people;
    await sendPhoto(a, chatId);
    storage = new MemoryStorage();
    const client = await openDevice(b, { storage });
    const loading = load(a, chatId);
    await eventually("50 messages are sent", () => loading.sent() > 50);
    await runOrThrow("backup", ["--to", file()], env("source"));
    const total = (await loading.stop()) + 1;
    const other = await made.person();
    await made.befriend(a, other);
    const otherChatId = (await a.post("/chat/create-direct", { receiverId: other.id })).body._id as string;
    await eventually("the client has all messages", () => client.chat(chatId)?.lastN === total);
    client.markRead(chatId);
    later = { otherChatId, total };
    await client.close();
    await server.stop();
    await rm(at("source"), { recursive: true });
    await runOrThrow("restore", ["--from", file()], env("source"));
    server = await startEmbedded({ dataDir: at("source"), port });
  });
  afterAll(() => server.stop());

  test("has exactly the data of the moment of the backup", async () => {
    const { a, chatId } = people;
    const archive = await readArchive(file());
    const backedUp = archive.rows["chat.messages"] as { n: number; text: string; _id: string }[];
    expect(backedUp.length).toBeGreaterThan(50);
    expect(backedUp.length).toBeLessThan(later.total);
    expect((await a.get("/auth/me")).status).toBe(401);
    await a.logIn();
    const restored = await history(a, chatId);
    expect(ns(restored)).toEqual(numbers(1, backedUp.length));
    expect(restored.map(({ n, _id, text }) => `${n} ${_id} ${text}`)).toEqual(
      backedUp.sort((one, two) => one.n - two.n).map(({ n, _id, text }) => `${n} ${_id} ${text}`),
    );
    expect((await a.get(`/chat/messages/${later.otherChatId}`)).status).toBe(403);
    const [photo] = (await a.get(`/chat/messages/${chatId}?after=0&limit=1`)).body as { file: { url: string; size: number } }[];
    const bytes = await fetch(server.url + photo!.file.url, { headers: { authorization: `Bearer ${a.token}` } });
    expect([bytes.status, (await bytes.arrayBuffer()).byteLength]).toEqual([200, photo!.file.size]);
  });

  test("a client from before the restore must log in again and reset, and then has the messages that the store has", async () => {
    const { a, b, chatId } = people;
    await expect(openDevice(b, { storage })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const again = await Parley.logIn({ url: b.url, emailId: b.emailId, password, storage });
    const resets = eventsOf(again, "chatReset");
    await again.online();
    expect(resets).toEqual([{ chatId }]);
    await a.logIn();
    const stored = await history(a, chatId);
    await eventually("the client has the newest messages", () => again.messages(chatId).length > 0);
    while (again.hasOlder(chatId)) await again.loadOlder(chatId);
    expect(again.messages(chatId).map(({ _id }) => _id)).toEqual(stored.map(({ _id }) => _id));
    expect(again.chat(chatId)).toMatchObject({ lastN: stored.length, readN: 0 });
    again.send(chatId, "We go on");
    await again.allSent();
    expect((await history(a, chatId)).at(-1)).toMatchObject({ n: stored.length + 1, text: "We go on" });
    expect(texts(again, chatId).at(-1)).toBe("We go on");
    await again.close();
  });

  test("a position from before the restore gets a reset, also after a second restore", async () => {
    const { a, b, chatId } = people;
    await a.logIn();
    const before = (await a.post("/chat/sync", { since: {} })).body.seq[chatId] as number;
    await server.stop();
    await rm(at("source"), { recursive: true });
    await runOrThrow("restore", ["--from", file()], env("source"));
    server = await startEmbedded({ dataDir: at("source"), port });
    await b.logIn();
    for (const since of [1, later.total, before, before + 1]) {
      const { body } = await b.post("/chat/sync", { since: { [chatId]: since } });
      expect({ since, reset: body.reset }).toEqual({ since, reset: [chatId] });
    }
    const { seq } = (await b.post("/chat/sync", { since: {} })).body;
    expect((await b.post("/chat/sync", { since: seq })).body).toMatchObject({ reset: [], messages: {} });
  });

  test("new-era, without a restore, ends sessions, voids positions, and lets a server start whose data was moved elsewhere", async () => {
    const { b, chatId } = people;
    await b.logIn();
    const { seq } = (await b.post("/chat/sync", { since: {} })).body;
    await server.stop();
    await runOrThrow("backup", ["--to", at("moved.tar"), "--move"], env("source"));
    await expect(startEmbedded({ dataDir: at("source"), port })).rejects.toThrow(/moved elsewhere at .*npm run new-era/);
    await runOrThrow("new-era", [], env("source"));
    server = await startEmbedded({ dataDir: at("source"), port });
    expect((await b.get("/auth/me")).status).toBe(401);
    await b.logIn();
    expect((await b.post("/chat/sync", { since: seq })).body.reset).toEqual([chatId]);
  });
});

describe("a backup file", () => {
  let good: string;
  beforeAll(async () => {
    const server = await startEmbedded({ dataDir: at("few") });
    const made = factory(() => [server.url]);
    const { a, chatId } = await made.pair();
    await sendPhoto(a, chatId);
    made.disconnectAll();
    await server.stop();
    good = at("few.tar");
    await runOrThrow("backup", ["--to", good], env("few"));
  });

  /** Restores a file that must be refused, and checks that nothing was created. @returns the error line, with FILE for the path */
  async function refusalOf(name: string, args: readonly string[] = []): Promise<string> {
    const line = await refusal("restore", ["--from", at(name), ...args], env("fresh"));
    expect(existsSync(at("fresh"))).toBe(false);
    return line.replace(at(name), "FILE");
  }

  test("has the same content as a backup of the server that was restored from it", async () => {
    await runOrThrow("restore", ["--from", good], env("copy"));
    await runOrThrow("backup", ["--to", at("copy.tar")], env("copy"));
    const [first, second] = [await readArchive(good), await readArchive(at("copy.tar"))];
    expect(second.blobs).toEqual(first.blobs);
    for (const name of ["auth.accounts", "chat.messages", "chat.members", "chat.files", "profile.profiles", "request.requests"]) {
      expect(first.rows[name]!.length).toBeGreaterThan(0);
      expect(second.rows[name]!.map(plain)).toEqual(first.rows[name]!.map(plain));
    }
  });

  test("of a broken store is written with a warning that it can't be restored, and restore refuses it", async () => {
    await runOrThrow("restore", ["--from", good], env("broken"));
    const store = new DatabaseSync(at("broken/parley.db"));
    store.exec("DELETE FROM chat_messages WHERE n = 1");
    store.close();
    expect(await refusal("backup", ["--to", at("of-broken.tar")], env("broken"))).toMatch(
      / is written, but .* broken.*: chat \w{24} is at message/,
    );
    expect((await readArchive(at("of-broken.tar"))).rows["auth.accounts"]!.length).toBeGreaterThan(0);
    expect(await refusalOf("of-broken.tar")).toMatch(/^FILE is damaged: chat \w{24} is at message/);
    expect(await refusal("backup", ["--to", at("no.tar"), "--move"], env("broken"))).toMatch(/^The store can't be moved: chat/);
    expect(existsSync(at("no.tar"))).toBe(false);
  });

  test("of an earlier release's store is written without migrating the store", async () => {
    await runOrThrow("restore", ["--from", good], env("earlier"));
    const version = (set?: number): unknown => {
      const store = new DatabaseSync(at("earlier/parley.db"));
      if (set !== undefined) store.exec(`PRAGMA user_version = ${set}`);
      const row = store.prepare("PRAGMA user_version").get();
      store.close();
      return row!["user_version"];
    };
    version(2);
    await runOrThrow("backup", ["--to", at("earlier.tar")], env("earlier"));
    expect(version()).toBe(2);
  });

  test("is refused when it is cut off anywhere", async () => {
    const bytes = await readFile(good);
    for (const length of [0, 100, 512, 2000, Math.floor(bytes.length / 2), bytes.length - 1500]) {
      await writeFile(at("cut.tar"), bytes.subarray(0, length));
      expect(await refusalOf("cut.tar")).toMatch(
        /^FILE is (damaged: .*(too early|without its manifest|were written)|not a backup of Parley)/,
      );
    }
  });

  test("is refused when one of its bytes has changed", async () => {
    const bytes = await readFile(good);
    const starts = [...bytes.toString("latin1").matchAll(/(rows\/|blobs\/|manifest)/g)].map(({ index }) => index);
    for (const start of [starts[0]!, starts.find((start) => bytes.toString("latin1", start, start + 5) === "blobs")!, starts.at(-1)!]) {
      const broken = Buffer.from(bytes);
      broken[start + 512 + 40]! ^= 1;
      await writeFile(at("broken.tar"), broken);
      expect(await refusalOf("broken.tar")).toMatch(/^FILE(: \S+)? is damaged: /);
    }
  });

  test("is refused when it is missing, not a backup, or written by a newer release", async () => {
    expect(await refusalOf("missing.tar")).toMatch(/^FILE can't be read: ENOENT/);
    await writeFile(at("other.tar"), "x".repeat(10_000));
    expect(await refusalOf("other.tar")).toBe("FILE is not a backup of Parley");
    const head = Buffer.from(JSON.stringify({ parleyBackup: 99, version: "9.0.0", createdAt: new Date().toISOString() }));
    await writeFile(at("newer.tar"), Buffer.concat(entryBytes("parley-backup.json", head, sha256(head), Date.now())));
    expect(await refusalOf("newer.tar")).toMatch(/^FILE was written by a newer release \(9\.0\.0, format 99; this one knows \d+\)/);
  });

  test("is refused when it has a schema version or a collection that this release does not know", async () => {
    const head = { parleyBackup: 1, version: "9.0.0", createdAt: new Date().toISOString() };
    const rest = { store: "sqlite", era: "first", isMove: false } as const;
    const refusalOfArchive = async (name: string, schemas: Readonly<Record<string, number>>, collection?: string) => {
      const archive = await ArchiveWriter.begin(at(name), head);
      if (collection !== undefined) await archive.rows("chat", collection, Readable.from([[JSON.stringify({ _id: "1" })]]));
      await archive.finish({ ...rest, schemas });
      await renameWhole(at(name));
      return refusalOf(name);
    };
    expect(await refusalOfArchive("schema.tar", { chat: 99 })).toMatch(
      /newer release \(9\.0\.0: the data of chat has schema 99, this release knows \d+\)/,
    );
    expect(await refusalOfArchive("novel.tar", { chat: 1 }, "novels")).toMatch(
      /^FILE holds rows of chat\.novels, which this release does not know/,
    );
  });

  test("is not restored over existing data or into a running server's folder, and --dry-run says so too", async () => {
    const server = await startEmbedded({ dataDir: at("few") });
    expect(await refusal("restore", ["--from", good, "--dry-run"], env("few"))).toMatch(/is in use by another process$/);
    await server.stop();
    for (const args of [[], ["--dry-run"]]) {
      expect(await refusal("restore", ["--from", good, ...args], env("few"))).toMatch(/^The target is not empty: there are rows of auth/);
    }
    await mkdir(join(at("stray"), "blobs"), { recursive: true });
    await writeFile(join(at("stray"), "blobs", "0123456789abcdef01234567"), "bytes");
    expect(await refusal("restore", ["--from", good], env("stray"))).toMatch(/^The target is not empty: there is a file 0123/);
    expect(await refusalOf("few.tar", ["--move"])).toMatch(/^--move needs a backup that was made with --move/);
  });

  test("with --dry-run is checked and summarized, and nothing is restored", async () => {
    const out = await runOrThrow("restore", ["--from", good, "--dry-run"], env("fresh"));
    expect(out).toMatch(/is intact: \d+ rows \(1 messages\) and 2 files/);
    expect(existsSync(at("fresh"))).toBe(false);
  });

  test("does not exist after a backup that was killed or ended, and the next backup succeeds", async () => {
    const target = at("late.tar");
    for (const point of ["backup.rows", "backup.files"]) {
      expect(await command("backup", ["--to", target], { ...env("few"), FAULTS: `${point}=kill` })).toMatchObject({ signal: "SIGKILL" });
      expect(existsSync(target)).toBe(false);
    }
    const frozen = startCommand("backup", ["--to", target], { ...env("few"), FAULTS: "backup.files=freeze" });
    await eventually("it is frozen in the middle of writing", () => isFrozen(frozen));
    expect(existsSync(`${target}.part`)).toBe(true);
    frozen.signal("SIGTERM");
    frozen.signal("SIGCONT");
    expect(await frozen.ended).toMatchObject({ code: 1, err: "Ended by SIGTERM\n" });
    expect((await readdir(folder)).filter((name) => name.startsWith("late"))).toEqual([]);
    await runOrThrow("backup", ["--to", target], env("few"));
    expect((await readArchive(target)).manifest.rows).toEqual((await readArchive(good)).manifest.rows);
  });

  test("does not exist, not even in part, when the disk was full", async () => {
    const disk = openSmallDisk();
    try {
      if (disk.means !== "a small tmpfs") return;
      disk.fill(process.pid);
      expect(await refusal("backup", ["--to", join(disk.folder, "b.tar")], env("few"))).toMatch(/ENOSPC/);
      expect(await readdir(disk.folder)).toEqual(["filler"]);
      disk.empty(process.pid);
      await runOrThrow("backup", ["--to", join(disk.folder, "b.tar")], env("few"));
    } finally {
      disk.close();
    }
  });

  test("that was restored in part by a killed process lets no server start, and the next restore completes it", async () => {
    for (const point of ["restore.rows", "restore.files"]) {
      expect(await command("restore", ["--from", good], { ...env("half"), FAULTS: `${point}=kill` })).toMatchObject({ signal: "SIGKILL" });
      await expect(startEmbedded({ dataDir: at("half") })).rejects.toThrow(/a restore that began at .* has not ended/);
    }
    await copyFile(good, at("renamed.tar"));
    await runOrThrow("restore", ["--from", at("renamed.tar")], env("half"));
    await runOrThrow("backup", ["--to", at("half.tar")], env("half"));
    const [first, second] = [await readArchive(good), await readArchive(at("half.tar"))];
    expect(second.blobs).toEqual(first.blobs);
    expect(second.rows["chat.messages"]!.map(plain)).toEqual(first.rows["chat.messages"]!.map(plain));
    const server = await startEmbedded({ dataDir: at("half") });
    await server.stop();
  });
});
