/** Nodes under load: a chat whose writes are blocked does not block other chats, and a busy gateway shuts down in time. */
import mongoose from "mongoose";
import { afterAll, expect, test } from "@jest/globals";
import { readConfig } from "../../../core/config/config.ts";
import type { MongoRow } from "../../../core/store/mongo/collections.ts";
import { settlesWithin, succeedsOnceInThree } from "../../support/attempts.ts";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { startMongod, type Mongod } from "../../support/infrastructure/mongod.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import type { NodeProcess } from "../../support/servers/server.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
/** Shorter than a commit is retried, and than this file's mongod keeps an idle transaction. */
const heldMs = 6000;
const lifetimeSeconds = 30;

/** Number of `chat.send` calls that a node is handling or queueing. */
async function activeSends({ statusUrl }: NodeProcess): Promise<number> {
  const metrics = await (await fetch(`${statusUrl}/metrics`)).text();
  return Number(/^parley_calls_active\{action="chat\.send",kind="answered"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

describeMesh("Busy nodes", () => {
  let mongod: Mongod;
  const own = ownMesh(async () => {
    mongod = await startMongod({ transactionLifetimeSeconds: lifetimeSeconds });
    return { env: { DRAIN_MS: "2000", MONGO_URI: mongod.uri } };
  });
  // Jest runs the hooks in this order: the mesh is stopped first.
  afterAll(() => mongod.stop());

  /** Sends to other chats while 150 sends wait for one chat. @returns whether the others were stored while that chat was blocked */
  async function otherChatsAreStored(): Promise<boolean> {
    const { members, chatId } = await own.made.group(3);
    const others = await Promise.all(upTo(8).map(() => own.made.group(3)));
    const held = await Promise.all(upTo(150).map((i) => members[i % 3]!.at(own.mesh.gateways[i % 2]!).connect()));
    const lines = await Promise.all(others.map(({ members: [first] }) => first.connect()));
    const nodes = [own.mesh.node("chatA"), own.mesh.node("chatB")];
    const client = new mongoose.mongo.MongoClient(readConfig(own.mesh.env).mesh!.mongoUri);
    const session = client.startSession();
    try {
      session.startTransaction();
      const chats = client.db(`${own.mesh.env["MESH"]}_chat`).collection<MongoRow>("chats");
      await chats.updateOne({ _id: chatId }, { $set: { held: true } }, { session });
      const began = performance.now();
      const inHeld = held.map((line, i) => line.callOrThrow("sendMessage", { chatId, text: `Message ${i}` }).then(() => performance.now()));
      const areWaiting = async () => Math.max(...(await Promise.all(nodes.map(activeSends)))) >= 100;
      if (!(await eventually("the sends wait at the chat's node", areWaiting, heldMs / 2).catch(() => false))) {
        await session.abortTransaction();
        await Promise.allSettled(inHeld);
        return false;
      }
      // These are answered while the chat is still blocked.
      const sending = lines.map((line, i) => line.callOrThrow("sendMessage", { chatId: others[i]!.chatId, text: "Hello" }));
      const areInTime = await settlesWithin(heldMs - (performance.now() - began), Promise.all(sending));
      const released = performance.now();
      await session.abortTransaction();
      if (!areInTime) await Promise.allSettled(inHeld);
      else for (const at of await Promise.all(inHeld)) expect(at).toBeGreaterThanOrEqual(released);
      return areInTime;
    } finally {
      await session.endSession();
      await client.close();
    }
  }

  test("150 sends that wait for one chat do not delay other chats", () =>
    succeedsOnceInThree("the other chats' messages are stored", otherChatsAreStored));

  test("a gateway that is stopped while its clients send disconnects its sockets and exits in time", async () => {
    const gateway = own.mesh.node("gatewayA");
    const { members, chatId } = await own.made.group(3);
    const lines = await Promise.all(upTo(30).map((i) => members[i % 3]!.at(own.mesh.gateways[0]).connect()));
    let sent = 0;
    const reasons: string[] = [];
    const sending = lines.map(async (line, index) => {
      line.socket.once("disconnect", (reason) => reasons.push(reason));
      for (let i = 0; line.socket.connected; i++) {
        const answer = await line.call("sendMessage", { chatId, text: "More", clientId: `${index}-${i}` }).catch(() => undefined);
        if (answer?.ok === true) sent++;
      }
    });
    await eventually("200 messages are stored", () => sent > 200, 60_000);
    gateway.signal("SIGTERM");
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    await Promise.all(sending);
    expect(reasons).toHaveLength(30);
    expect(gateway.log()).not.toContain("Not stopped in time");
  });
});
