/** Tests the client library when the server is killed, the line is cut or frozen, or the client's process ends. */
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { MemoryStorage, Parley, type Message, type Storage } from "../../../client/index.ts";
import { waitUntilStored, openDevice, waitForView, texts, eventsOf } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { freePort, startEmbedded, temporaryFolder, type EmbeddedServer } from "../../support/servers/server.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const isAscending = (values: readonly number[]) => values.every((value, index) => index === 0 || value > values[index - 1]!);

async function wholeHistory(reader: Person, chatId: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { body } = await reader.get(`/chat/messages/${chatId}?limit=200&after=${all.at(-1)?.n ?? 0}`);
    if (body.length === 0) return all;
    all.push(...body);
  }
}

test("three kills while three users write lose, double and reorder no message in any view", async () => {
  const [dataDir, port] = [await temporaryFolder(), await freePort()];
  let server = await startEmbedded({ dataDir, port });
  const { members, chatId } = await factory(() => [server.url]).group(3);
  const clients = await Promise.all(members.map((member) => openDevice(member)));
  const received = clients.map((client) => eventsOf(client, "message"));
  let isOver = false;
  const writing = clients.map(async (client, index) => {
    for (let i = 0; !isOver; i++) {
      client.send(chatId, `${index}-${i}`);
      // Users write on without waiting for answers, but the number of pending messages is bounded.
      await eventually("few wait", () => client.messages(chatId).filter(({ state }) => state === "sending").length < 20, 120_000);
    }
  });
  const everyoneHas = (count: number) =>
    eventually("everyone's messages are stored", () => clients.every((client) => client.chat(chatId)!.lastN >= count), 120_000);
  for (let kill = 1; kill <= 3; kill++) {
    await everyoneHas(kill * 100);
    server.signal("SIGKILL");
    await server.exited;
    server = await startEmbedded({ dataDir, port });
  }
  await everyoneHas(400);
  isOver = true;
  await Promise.all(writing);
  await Promise.all(clients.map((client) => waitUntilStored(client, chatId)));
  const stored = await wholeHistory(members[0], chatId);
  await everyoneHas(stored.length);

  const written = stored.filter(({ kind }) => kind === "text").map(({ text }) => text);
  const wrongViews = clients.filter((client) => {
    const view = client.messages(chatId);
    return JSON.stringify(view.map(({ _id }) => _id)) !== JSON.stringify(stored.slice(-view.length).map(({ _id }) => _id));
  }).length;
  const unsent = clients
    .flatMap((client) => client.messages(chatId))
    .filter(({ state }) => state === "sending" || state === "failed").length;
  const disordered = clients.filter((_, index) => {
    const own = written.filter((text) => text.startsWith(`${index}-`)).map((text) => Number(text.split("-")[1]));
    return !isAscending(own) || own.length !== own.at(-1)! + 1;
  }).length;
  const receivedTwice = received.filter(
    (messages) => new Set(messages.map(({ senderId, clientId }) => senderId + clientId)).size !== messages.length,
  ).length;
  const counts = { doubled: written.length - new Set(written).size, disordered, wrongViews, unsent, receivedTwice };
  process.stderr.write(`three kills: ${written.length} messages; ${JSON.stringify(counts)}\n`);
  expect(counts).toEqual({ doubled: 0, disordered: 0, wrongViews: 0, unsent: 0, receivedTwice: 0 });
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
  await rm(dataDir, { recursive: true });
});

describe("a client", () => {
  let server: EmbeddedServer;
  let proxy: TcpProxy;
  let made: Factory;
  beforeAll(async () => {
    server = await startEmbedded();
    proxy = await openTcpProxy(server.url);
    made = factory(() => [server.url]);
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });
  const url = () => proxy.url.replace(/\/$/, "");

  test("whose connection is cut fetches missed messages, and sends those written meanwhile", async () => {
    const { a, b, chatId } = await made.pair();
    const ada = await openDevice(a, { url: url() });
    const ben = await openDevice(b);
    const states = eventsOf(ada, "state");
    await ben.stored(ben.send(chatId, "before"));
    await waitForView(ada, chatId, "the first", (messages) => messages.length === 1);
    // The first round is more than one answer can hold.
    const missed = [210, 10, 10];
    for (const [round, count] of missed.entries()) {
      await proxy.cut();
      await eventually("Ada is offline", () => ada.state === "offline");
      for (const i of numbers(5)) ada.send(chatId, `Ada ${round} ${i}`);
      for (const i of numbers(count)) ben.send(chatId, `Ben ${round} ${i}`);
      await waitUntilStored(ben, chatId);
      await proxy.mend();
      await ada.online();
    }
    await waitUntilStored(ada, chatId);
    await waitForView(ben, chatId, "all", (messages) => messages.length === 1 + 230 + 15);
    expect(texts(ada, chatId)).toEqual(texts(ben, chatId));
    expect(states.filter(({ state }) => state === "online")).toHaveLength(3);
  });

  test("whose line is frozen in the middle of sending stores each message once", async () => {
    const { a, b, chatId } = await made.pair();
    const ada = await openDevice(a, { url: url() });
    for (const i of numbers(20)) ada.send(chatId, `${i}`);
    await eventually("some are stored", () => ada.chat(chatId)!.lastN > 3);
    proxy.freeze();
    for (const i of numbers(20)) ada.send(chatId, `${20 + i}`);
    await proxy.cut();
    await proxy.mend();
    await waitUntilStored(ada, chatId);
    const stored = await wholeHistory(b, chatId);
    expect(stored.map(({ text }) => text)).toEqual(numbers(40).map(String));
    expect(texts(ada, chatId)).toEqual(numbers(40).map(String));
  });

  test("resumes from its storage: it fetches new messages, and sends pending ones", async () => {
    const { a, b, chatId } = await made.pair();
    const storage = new MemoryStorage();
    const first = await Parley.resume({ url: url(), token: a.token, storage });
    await first.online();
    const ben = await openDevice(b);
    for (const i of numbers(150)) ben.send(chatId, `early ${i}`);
    await waitUntilStored(ben, chatId);
    await waitForView(first, chatId, "all", (messages) => messages.length === 150);
    await proxy.cut();
    await eventually("it is offline", () => first.state === "offline");
    first.send(chatId, "written on the train");
    first.markRead(chatId);
    await first.close();
    for (const i of numbers(10)) ben.send(chatId, `late ${i}`);
    await waitUntilStored(ben, chatId);

    const second = await Parley.resume({ url: url(), storage });
    const received = eventsOf(second, "message");
    expect(texts(second, chatId)).toEqual([...numbers(100).map((i) => `early ${50 + i}`), "written on the train"]);
    expect(second.chat(chatId)!.unread).toBe(0);
    await proxy.mend();
    await second.online();
    await waitUntilStored(second, chatId);
    expect(texts(second, chatId).slice(100)).toEqual([...numbers(10).map((i) => `late ${i}`), "written on the train"]);
    expect(received.map(({ text }) => text)).toEqual(numbers(10).map((i) => `late ${i}`));
    expect(second.chat(chatId)!.unread).toBe(10);
    await second.close();
  });

  test("whose process ends between any two writes to its storage loses no message that the server has", async () => {
    const { a, b, chatId } = await made.pair();
    const snapshots: Record<string, unknown>[] = [];
    const memory = new MemoryStorage();
    const storage: Storage = {
      load: () => memory.load(),
      save: (key, record) => {
        memory.save(key, record);
        snapshots.push(memory.load());
      },
    };
    const ada = await openDevice(a, { storage });
    const ben = await openDevice(b);
    for (const round of numbers(6)) {
      for (const i of numbers(10)) {
        ada.send(chatId, `Ada ${round} ${i}`);
        ben.send(chatId, `Ben ${round} ${i}`);
      }
      await Promise.all([waitUntilStored(ada, chatId), waitUntilStored(ben, chatId)]);
    }
    await ada.close();
    const stored = await wholeHistory(b, chatId);
    expect(stored).toHaveLength(120);
    for (const at of [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999]) {
      const saved = snapshots[Math.floor(at * snapshots.length)]!;
      const crashed = new MemoryStorage();
      for (const [key, record] of Object.entries(saved)) crashed.save(key, record);
      const again = await openDevice(a, { storage: crashed });
      await waitUntilStored(again, chatId);
      while (again.hasOlder(chatId)) await again.loadOlder(chatId);
      expect(texts(again, chatId)).toEqual(stored.map(({ text }) => text));
      await again.close();
    }
    expect(await wholeHistory(b, chatId)).toHaveLength(120);
  });

  test("whose session ends keeps pending messages for the same user's next log-in", async () => {
    const { a, b, chatId } = await made.pair();
    const storage = new MemoryStorage();
    const ada = await Parley.logIn({ url: url(), emailId: a.emailId, password: a.password, storage });
    await ada.online();
    await proxy.cut();
    await eventually("it is offline", () => ada.state === "offline");
    ada.send(chatId, "too late for this session");
    await a.patch("/auth/changePassword", { oldPassword: a.password, newPassword: "Other-Horse-8" });
    const states = eventsOf(ada, "state");
    await proxy.mend();
    await eventually("it has ended", () => ada.state === "ended");
    expect(states.at(-1)).toEqual({ state: "ended", reason: "unauthenticated" });
    await expect(Parley.resume({ url: url(), storage })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const again = await Parley.logIn({ url: url(), emailId: a.emailId, password: "Other-Horse-8", storage });
    await again.online();
    await waitUntilStored(again, chatId);
    expect((await wholeHistory(b, chatId)).map(({ text }) => text)).toEqual(["too late for this session"]);
    await again.close();

    const other = await Parley.logIn({ url: url(), emailId: b.emailId, password: b.password, storage });
    expect(other.chats()).toEqual([]);
    await other.close();
  });
});

test("a server with its usual limits stores 60 messages sent at once in order, and answers 40 concurrent requests", async () => {
  const server = await startEmbedded({ env: { LIMITS: "on" } });
  const { a, b, chatId } = await factory(() => [server.url]).pair();
  const ada = await openDevice(a);
  for (const i of numbers(60)) ada.send(chatId, `${i}`);
  const answers = await Promise.all(numbers(40).map(() => ada.contacts.list()));
  expect(answers.map((people) => people.length)).toEqual(Array(40).fill(1));
  await waitUntilStored(ada, chatId);
  expect((await wholeHistory(b, chatId)).map(({ text }) => text)).toEqual(numbers(60).map(String));
  await ada.close();
  await server.stop();
});
