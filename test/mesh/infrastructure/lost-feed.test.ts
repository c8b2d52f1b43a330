/** Feed connections are cut: the poll for missed changes delivers what was lost, and repeats nothing. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { eventually } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { redisUrl } from "../../support/infrastructure/infra.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";
import type { TestSocket } from "../../support/people/person.ts";

describeMesh("A gateway whose feed connection is cut", () => {
  let mesh: TestMesh;
  let made: Factory;
  let redis: Redis;

  beforeAll(async () => {
    mesh = await startMesh();
    made = factory(() => mesh.gateways);
    redis = new Redis(redisUrl());
  });
  afterAll(async () => {
    made.disconnectAll();
    redis.disconnect();
    await mesh.stop();
  });

  /** Cuts the connections on which gateways listen to the feed. @returns how many */
  async function cutFeed(): Promise<number> {
    const name = `name=${mesh.env["MESH"]}:feed-listening`;
    const lines = String(await redis.client("LIST")).split("\n");
    const ids = lines.filter((line) => line.includes(name)).map((line) => /^id=(\d+)/.exec(line)![1]!);
    for (const id of ids) await redis.client("KILL", "ID", id);
    return ids.length;
  }
  const receivedBy = (line: TestSocket) => line.payloadsOf("receiveMessage").map(({ n }: { n: number }) => n);
  const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

  test("delivers every message once and in order", async () => {
    const { a, b, chatId } = await made.pair();
    const [sender, reader] = [await a.connect(), await b.connectAndSubscribe()];
    const total = 300;
    for (let n = 1; n <= total; n++) {
      // After the previous cut, the gateways may not be connected again yet.
      if (n % 60 === 0) await eventually("there is a connection to cut", async () => (await cutFeed()) > 0);
      await sender.callOrThrow("sendMessage", { chatId, text: `Message ${n}`, clientId: `cut-${n}` });
    }
    await reader.waitForCount("receiveMessage", total);
    expect(receivedBy(reader)).toEqual(upTo(total));
  });

  test("sends nothing twice to a socket that has the chat, and nothing to one that still pages through it or has left it", async () => {
    const { a, b, chatId } = await made.pair();
    const sender = await a.connect();
    const texts = upTo(450).map((n) => sender.callOrThrow("sendMessage", { chatId, text: `Message ${n}`, clientId: `old-${n}` }));
    await Promise.all(texts);
    const [upToDate, paging, left] = [await b.connect(), await b.connect(), await b.connect()];
    await upToDate.callOrThrow("subscribe", {});
    const first = await paging.callOrThrow("subscribe", { since: { [chatId]: 1 } });
    expect(first.more).toEqual([chatId]);
    await left.callOrThrow("subscribe", {});
    await left.callOrThrow("leaveChat", { chatId });

    await cutFeed();
    await sender.callOrThrow("sendMessage", { chatId, text: "After the cut", clientId: "after" });
    await upToDate.waitForCount("receiveMessage", 1);
    // All three sockets receive a message of a new chat. When they have, the polls that follow the cut are over.
    const other = await made.person();
    await made.befriend(other, b);
    const { body } = await other.post("/chat/create-direct", { receiverId: b.id });
    const greeting = await other.post("/chat/messages", { chatId: body._id, text: "Hello" });
    expect(greeting.status).toBe(201);
    for (const line of [upToDate, paging, left]) await line.waitFor("receiveMessage", (message) => message.chatId === body._id);

    const ofChat = (line: TestSocket) => line.payloadsOf("receiveMessage").filter((message) => message.chatId === chatId);
    expect(ofChat(upToDate).map(({ text }) => text)).toEqual(["After the cut"]);
    expect(ofChat(paging)).toEqual([]);
    expect(ofChat(left)).toEqual([]);
  });
});
