/** Backups of a mesh: taken while it runs, moved to it from an embedded server and back, and not restored while its nodes run. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connect } from "amqplib";
import { MemoryStorage } from "../../../client/index.ts";
import { newEra } from "../../../core/backup/era.ts";
import { updateFacts, openInstallationDatabase } from "../../../core/node/installation.ts";
import { rabbitNames } from "../../../core/queue/rabbit-topology.ts";
import { openMongoStore } from "../../../core/store/mongo/store.ts";
import type { Doc } from "../../../core/store/store.ts";
import { readArchive, plain, type ArchiveContents } from "../../support/store/archives.ts";
import { openDevice, eventsOf } from "../../support/client/devices.ts";
import { command, runOrThrow, refusal } from "../../support/servers/commands.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { amqpUrl, mongoUri, redisUrl } from "../../support/infrastructure/infra.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { cleanUpMesh } from "../../support/mesh/cleanup.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";
import type { Person } from "../../support/people/person.ts";
import { quietLogger } from "../../support/ports/queues.ts";
import { startEmbedded, temporaryFolder, type ServerEnv } from "../../support/servers/server.ts";

/** Collections that differ between a backup and its restore: sessions, events to be published, migrations, and the states of files. */
const differing = /^auth\.sessions$|\.outbox$|\.schema$|^media\.files$/;
const contentOf = ({ rows }: ArchiveContents) =>
  Object.fromEntries(
    Object.entries(rows)
      .filter(([name]) => !differing.test(name))
      .map(([name, ofOne]) => [name, ofOne.map(plain)]),
  );
const secret = randomBytes(32).toString("hex");
const meshEnv = (): ServerEnv => ({
  MESH: `test-${randomBytes(5).toString("hex")}`,
  AMQP_URL: amqpUrl(),
  REDIS_URL: redisUrl(),
  MONGO_URI: mongoUri(),
  JWT_SECRET: secret,
});

describeMesh("A mesh", () => {
  let folder: string;
  let env: ServerEnv;
  let other: ServerEnv;
  let mesh: TestMesh;
  let people: { a: Person; b: Person; chatId: string };
  const storage = new MemoryStorage();
  const at = (name: string): string => join(folder, name);
  const stopNodes = () => Promise.all([...mesh.nodes.values()].map((node) => node.stop()));

  beforeAll(async () => {
    folder = await temporaryFolder();
    [env, other] = [meshEnv(), meshEnv()];
    const server = await startEmbedded({ dataDir: at("source"), env: { JWT_SECRET: secret } });
    people = await factory(() => [server.url]).pair();
    const { a, b, chatId } = people;
    const form = new FormData();
    form.set("chatId", chatId);
    form.set("file", new Blob(["some words of a file"], { type: "text/plain" }), "words.txt");
    await a.post("/chat/send-file", form);
    const { _id } = (await b.post("/chat/messages", { chatId, text: "sent to the embedded server" })).body;
    await a.put(`/chat/messages/${_id}/reactions/${encodeURIComponent("👍")}`);
    const client = await openDevice(b, { storage });
    await client.close();
    await server.stop();
    await runOrThrow("backup", ["--to", at("embedded.tar"), "--move"], { DATA_DIR: at("source") });
    await runOrThrow("restore", ["--from", at("embedded.tar"), "--move"], env);
    mesh = await startMesh({ env });
  });
  afterAll(async () => {
    await mesh.stop();
    await cleanUpMesh(other);
    await rm(folder, { recursive: true });
  });

  test("keeps the sessions, positions and files of the embedded server that was moved to it", async () => {
    const [one, two] = mesh.gateways;
    people = { ...people, a: people.a.at(one), b: people.b.at(two) };
    const { a, b, chatId } = people;
    const client = await openDevice(b, { storage });
    const resets = eventsOf(client, "chatReset");
    const sent = await a.post("/chat/messages", { chatId, text: "sent to the mesh" });
    expect(sent.status).toBe(201);
    await eventually("the message is received", () => client.messages(chatId).at(-1)?.text === "sent to the mesh");
    expect(resets).toEqual([]);
    const { url } = client.messages(chatId)[0]!.file!;
    expect(await (await client.file(url)).text()).toBe("some words of a file");
    await client.close();
  });

  test("can be backed up while it is written to: the backup is consistent, and has all messages up to one moment", async () => {
    const { a, chatId } = people;
    const stopping = new AbortController();
    let sent = 0;
    const sending = (async () => {
      while (!stopping.signal.aborted) {
        const { status } = await a.post("/chat/messages", { chatId, text: `load ${sent + 1}`, clientId: `load-${sent + 1}` });
        if (status === 201) sent++;
        else if (status !== 503) throw new Error(`send answered ${status}`);
      }
    })();
    await eventually("20 messages are sent", () => sent > 20);
    const before = sent;
    await runOrThrow("backup", ["--to", at("loaded.tar")], env);
    stopping.abort();
    await sending;
    const held = await readArchive(at("loaded.tar"));
    const loads = (held.rows["chat.messages"] as (Doc & { n: number; text: string })[])
      .filter(({ text }) => text.startsWith("load"))
      .sort((one, two) => one.n - two.n);
    expect(loads.length).toBeGreaterThanOrEqual(before - 1);
    expect(loads.map(({ text }) => text)).toEqual(loads.map((_, index) => `load ${index + 1}`));
    expect(await runOrThrow("restore", ["--from", at("loaded.tar")], other)).toMatch(/new era/);
    await runOrThrow("backup", ["--to", at("again.tar")], other);
    const again = await readArchive(at("again.tar"));
    expect(again.blobs).toEqual(held.blobs);
    expect(contentOf(again)["chat.messages"]).toEqual(contentOf(held)["chat.messages"]);
    const heads = again.rows["chat.chats"] as (Doc & { seq: number; resetSeq: number })[];
    for (const { seq, resetSeq } of heads) expect([seq, resetSeq]).toEqual([resetSeq, resetSeq]);
    expect(Math.min(...heads.map(({ seq }) => seq))).toBeGreaterThan(1e15);
  });

  test("refuses a restore while its nodes run, while events are in its queues, or into a store with data", async () => {
    expect(await refusal("restore", ["--from", at("loaded.tar")], env)).toMatch(/^Nodes of the mesh \S+ are running/);
    expect(await refusal("backup", ["--to", at("no.tar"), "--move"], env)).toMatch(/^Nodes of the mesh \S+ are running/);
    expect(await refusal("restore", ["--from", at("loaded.tar")], other)).toMatch(/^The target is not empty: there are rows of auth/);
    const queue = rabbitNames(other["MESH"]!).queue("chat");
    const connection = await connect(amqpUrl());
    try {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
      channel.sendToQueue(queue, Buffer.from("{}"), { persistent: true });
      await channel.waitForConfirms();
      await eventually("the event is in the queue", async () => (await channel.checkQueue(queue)).messageCount === 1);
      expect(await refusal("restore", ["--from", at("loaded.tar")], other)).toMatch(/^The queue \S+ holds 1 events of another time/);
      await channel.deleteQueue(queue);
    } finally {
      await connection.close();
    }
  });

  test("refuses a new era while its nodes run", async () => {
    expect(await refusal("new-era", [], env)).toMatch(/^Nodes of the mesh \S+ are running/);
  });

  test("ends all sessions and sockets when a running node finds a new era", async () => {
    const { a, b, chatId } = people;
    const line = await a.connectAndSubscribe();
    const store = await openMongoStore(mongoUri(), env["MESH"]!, { log: quietLogger });
    await updateFacts(await openInstallationDatabase(store), { era: newEra() }).finally(() => store.close());
    await line.waitFor("sessionEnded", ({ reason }) => reason === "revoked");
    await eventually("every gateway refuses the old tokens", async () => {
      const answers = await Promise.all(
        mesh.gateways.map((url) => fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${b.token}` } })),
      );
      return answers.every(({ status }) => status === 401);
    });
    await eventually("b can log in", async () => (await b.logIn()).status === 200 && (await b.get("/auth/me")).status === 200);
    await eventually("a can log in", async () => (await a.logIn()).status === 200 && (await a.get("/auth/me")).status === 200);
    expect((await a.post("/chat/messages", { chatId, text: "in the new era" })).status).toBe(201);
  });

  test("moves back to an embedded server with the same content, and its own nodes then refuse to start", async () => {
    await stopNodes();
    await eventually("its stopped nodes are no longer registered", async () => {
      const { code, err } = await command("backup", ["--to", at("mesh.tar"), "--move"], env);
      if (code !== 0 && !err.includes("run")) throw new Error(err);
      return code === 0;
    });
    await runOrThrow("restore", ["--from", at("mesh.tar"), "--move"], { DATA_DIR: at("back") });
    await runOrThrow("backup", ["--to", at("back.tar")], { DATA_DIR: at("back") });
    const [moved, restored] = [await readArchive(at("mesh.tar")), await readArchive(at("back.tar"))];
    expect(restored.blobs).toEqual(moved.blobs);
    expect(contentOf(restored)).toEqual(contentOf(moved));
    const node = await mesh.start("late", "admin").then(
      () => "started",
      (error: unknown) => (error as Error).message,
    );
    expect(node).toMatch(/moved elsewhere at/);
  });
});
