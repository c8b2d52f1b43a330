/** Tests failures of the mesh's store: dead and frozen writers, lost answers, a MongoDB that is down or unsuitable, wrong credentials. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { Logger } from "moleculer";
import mongoose from "mongoose";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import type { MongoRow } from "../../../core/store/mongo/collections.ts";
import { pageOf } from "../../../core/store/mongo/database.ts";
import { insert, update, expect as unchanged, type Database } from "../../../core/store/store.ts";
import { eventually, within } from "../../support/eventually.ts";
import { isFrozen } from "../../support/fault-injection/freeze.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { mongoUri } from "../../support/infrastructure/infra.ts";
import { hasMongod, startMongod } from "../../support/infrastructure/mongod.ts";
import { freePort } from "../../support/servers/server.ts";
import { all, chats, message, messages, messagesOf } from "../../support/store/collections.ts";
import { mongo, openStoreAt, silentLogger, type TestStore } from "../../support/store/stores.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const send = (db: Database, chatId: string, seq: number) =>
  db.commit([update(chats, { _id: chatId, seq: seq - 1 }, { seq }), insert(messages, message(chatId, seq))]);

describeWith(["mongo"], "The store on MongoDB, in trouble", () => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await mongo.open();
    db = await opened.store.open("chat", all);
  });
  afterAll(() => opened.remove());

  const newChat = async () => {
    const chatId = newId();
    await db.commit([insert(chats, { _id: chatId, seq: 0 })]);
    return chatId;
  };

  test.each([
    ["killed" as const, "kill"],
    ["frozen" as const, "freeze"],
  ])("a writer %s in a transaction blocks others for less than 10 s, and its changes are discarded", async (_, fault) => {
    const chatId = await newChat();
    const program = fileURLToPath(new URL("../../support/store/writer-process.ts", import.meta.url));
    const writer = spawn(process.execPath, [program, ...opened.location, chatId, "10", `store.commit=${fault}`], {
      stdio: "ignore",
    });
    const ended = once(writer, "exit");
    cleanUps.push(async () => {
      writer.kill("SIGKILL");
      await ended;
    });
    await eventually("the writer is in a transaction", () => (fault === "kill" ? writer.signalCode === "SIGKILL" : isFrozen(writer)));
    await within(10_000, "another writer can commit", send(db, chatId, 1));
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([1]);

    writer.kill("SIGCONT");
    await ended;
    const { seq } = (await db.get(chats, chatId))!;
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
  });

  test("a lost answer neither loses nor repeats its commit", async () => {
    const proxy = await lossyProxy(opened.location[1]);
    cleanUps.push(() => proxy.stop());
    const store = await openStoreAt(["mongo", proxy.uri, opened.location[2]]);
    cleanUps.push(() => store.close());
    const through = await store.open("chat", all);
    const chatId = await newChat();

    proxy.loseAnswerTo("commitTransaction");
    await send(through, chatId, 1);
    proxy.loseAnswerTo("findAndModify");
    await through.commit([update(chats, { _id: chatId, seq: 1 }, { seq: 2 })]);
    proxy.loseAnswerTo("findAndModify");
    await through.commit([insert(messages, message(chatId, 2))]);
    expect(proxy.lost()).toBe(3);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 2 });
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([1, 2]);
  });

  test("an expectation adds nothing to the row that a reader could see", async () => {
    const chatId = await newChat();
    await db.commit([unchanged(chats, { _id: chatId, seq: 0 }), update(chats, { _id: chatId }, { changedAt: 5 })]);
    const row = { _id: chatId, seq: 0, changedAt: 5 };
    expect(await db.get(chats, chatId)).toEqual(row);
    expect(await db.getMany(chats, [chatId])).toEqual([row]);
    expect(await db.find(chats, [{ _id: chatId }])).toEqual([row]);
    expect(await db.page(chats, { index: "byChangedAt", where: { changedAt: 5, _id: chatId }, limit: 5 })).toEqual([row]);
  });

  test("a page examines only the keys and rows that it returns, with any bounds", async () => {
    const [chatId, time] = [newId(), Date.now()];
    await db.commit(Array.from({ length: 100 }, (_, n) => insert(messages, message(chatId, n, { senderId: "s", clientId: `c${n}` }))));
    const ids = Array.from({ length: 100 }, () => newId());
    await db.commit(ids.map((_id, i) => insert(chats, { _id, seq: i, changedAt: time + (i < 90 ? 0 : i) })));
    const client = new mongoose.mongo.MongoClient(opened.location[1]);
    cleanUps.push(() => client.close());
    const rows = (name: string) => client.db(`${opened.location[2]}_chat`).collection<MongoRow>(name);
    for (const cursor of [
      pageOf(rows("messages"), messages, { index: "byN", where: { chatId }, limit: 10 }),
      pageOf(rows("messages"), messages, { index: "byN", where: { chatId }, before: [50], order: "desc", limit: 10 }),
      pageOf(rows("messages"), messages, { index: "byN", where: { chatId }, after: [49], before: [60], limit: 10 }),
      pageOf(rows("messages"), messages, { index: "byClientId", where: { chatId, senderId: "s" }, after: ["c5"], limit: 10 }),
      pageOf(rows("chats"), chats, { index: "byChangedAt", after: [time, ids[40]!], limit: 10 }),
      pageOf(rows("chats"), chats, { index: "byChangedAt", before: [time, ids[40]!], order: "desc", limit: 10 }),
    ]) {
      const { executionStats } = await cursor!.explain("executionStats");
      expect(executionStats).toMatchObject({ nReturned: 10, totalKeysExamined: 10, totalDocsExamined: 10 });
    }
  });

  test("wrong credentials stop the start with a one-line error", async () => {
    const uri = new URL(mongoUri());
    uri.username = "nobody";
    uri.password = "a-secret";
    const error = await openStoreAt(["mongo", uri.href, "test"]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).toMatch(/^MONGO_URI: [^\n]*user or the password[^\n]*$/);
    expect((error as StartError).message).not.toContain("a-secret");
  });

  test("the start waits for a MongoDB that is down, and logs one line for each try", async () => {
    const { log, warnings } = listening();
    const port = await freePort();
    const { hostname, port: real } = new URL(mongoUri());
    const opening = openStoreAt(["mongo", `mongodb://127.0.0.1:${port}/?directConnection=true`, opened.location[2]], log);
    await eventually("two tries have failed", () => warnings.length >= 2, 60_000);
    const door = await forward(port, hostname, Number(real));
    cleanUps.push(() => door.close());
    const store = await within(60_000, "connected", opening);
    await store.close();
    expect(warnings.every((line) => /^MongoDB can't be reached, trying again in \d+ ms/.test(line))).toBe(true);
  });

  (hasMongod ? test : test.skip)("a MongoDB that is not a replica set stops the start with a one-line error", async () => {
    const alone = await startMongod({ replicaSet: false });
    cleanUps.push(() => alone.stop());
    await expect(openStoreAt(["mongo", alone.uri, "test"])).rejects.toThrow(/^MONGO_URI: this MongoDB is not a replica set[^\n]*$/);
  });

  (hasMongod ? test : test.skip)("a MongoDB with a long transaction lifetime causes a warning", async () => {
    const slow = await startMongod({ transactionLifetimeSeconds: 60 });
    cleanUps.push(() => slow.stop());
    const { log, warnings } = listening();
    await (await openStoreAt(["mongo", slow.uri, "test"], log)).close();
    expect(warnings).toEqual([expect.stringContaining("for 60 s")]);
  });

  (hasMongod ? test : test.skip).each([
    ["a row that changed", (chatId: string) => [update(chats, { _id: chatId, seq: 0 }, { seq: 1 }), insert(messages, message(chatId, 2))]],
    ["a key that was taken", (chatId: string) => [insert(messages, message(chatId, 1)), update(chats, { _id: chatId }, { seq: 1 })]],
    ["a row that changed, in one command", (chatId: string) => [update(chats, { _id: chatId, seq: 0 }, { seq: 1 })]],
  ])("a commit refused for %s rejects only when a reader can see it, however slow the disk", async (_, late) => {
    const server = await startMongod({ testCommands: true });
    cleanUps.push(() => server.stop());
    const chatId = newId();
    const tried = Promise.withResolvers<undefined>();
    const { hostname, port } = new URL(server.uri);
    const door = await forward(0, hostname, Number(port), (client, upstream) => {
      client.on("data", (data) => data.includes(chatId) && tried.resolve(undefined));
      pipe(client, upstream);
    });
    cleanUps.push(() => door.close());
    const watched = `mongodb://127.0.0.1:${(door.address() as AddressInfo).port}/?directConnection=true`;
    const [store, other] = await Promise.all([server.uri, watched].map((uri) => openStoreAt(["mongo", uri, "test"])));
    cleanUps.push(() => Promise.all([store!.close(), other!.close()]));
    const [first, second] = await Promise.all([store!, other!].map((one) => one.open("chat", all)));
    await first!.commit([insert(chats, { _id: chatId, seq: 0 })]);
    const client = new mongoose.mongo.MongoClient(server.uri, { readConcernLevel: "local" });
    cleanUps.push(() => client.close());
    const disk = (mode: "alwaysOn" | "off") => client.db("admin").command({ configureFailPoint: "pauseJournalFlusherBeforeFlush", mode });

    await disk("alwaysOn");
    const sent = send(first!, chatId, 1);
    const written = () => client.db("test_chat").collection<MongoRow>("chats").findOne({ _id: chatId });
    await eventually("it is written, but not on disk yet", async () => (await written())?.["seq"] === 1);
    const refused = expect(second!.commit(late(chatId))).rejects.toThrow();
    const seen = refused.then(() => second!.get(chats, chatId));
    await tried.promise;
    await sleep(500);
    expect(await first!.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
    await disk("off");
    expect(await seen).toEqual({ _id: chatId, seq: 1 });
    await sent;
  });

  (hasMongod ? test : test.skip)("with a frozen MongoDB calls fail within 12 s, and succeed again when it continues", async () => {
    const server = await startMongod();
    cleanUps.push(() => server.stop());
    const store = await openStoreAt(["mongo", server.uri, "test"]);
    cleanUps.push(() => store.close());
    const rows = await store.open("chat", all);
    const chatId = newId();
    await rows.commit([insert(chats, { _id: chatId, seq: 0 })]);
    server.freeze();
    const unavailable = { type: "UNAVAILABLE" };
    const failed = Promise.all([
      expect(rows.get(chats, chatId)).rejects.toMatchObject(unavailable),
      expect(send(rows, chatId, 1)).rejects.toMatchObject(unavailable),
      expect(store.health()).resolves.toMatchObject({ ok: false }),
    ]);
    await within(12_000, "the calls fail", failed).finally(() => server.thaw());
    await eventually("it answers again", () => send(rows, chatId, 1).then(() => true), 60_000);
    expect((await messagesOf(rows, chatId)).map(({ n }) => n)).toEqual([1]);
  });
});

/** A logger that keeps its warnings. */
function listening(): { log: Logger; warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, log: { ...silentLogger, warn: (line: string) => void warnings.push(line) } };
}

async function forward(port: number, host: string, to: number, relay = pipe): Promise<Server> {
  const server = createServer((client) => relay(client, connect(to, host)));
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  return server;
}

function pipe(client: Socket, server: Socket): void {
  for (const socket of [client, server]) socket.on("error", () => [client, server].forEach((one) => one.destroy()));
  client.pipe(server).pipe(client);
}

/** A proxy that cuts the connection instead of passing on one answer, after MongoDB has run the command. */
async function lossyProxy(uri: string) {
  let losing: string | undefined;
  let lost = 0;
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(uri);
  const server = await forward(0, hostname, Number(port), (client, upstream) => {
    let cutting = false;
    const cut = () => [client, upstream].forEach((socket) => socket.destroy());
    for (const socket of [client, upstream]) sockets.add(socket.on("error", cut).on("close", cut));
    client.on("data", (data) => {
      if (losing !== undefined && data.includes(losing)) {
        losing = undefined;
        cutting = true;
      }
      upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (!cutting) return void client.write(data);
      lost++;
      cut();
    });
  });
  return {
    uri: `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/?directConnection=true`,
    loseAnswerTo: (command: string) => (losing = command),
    lost: () => lost,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
