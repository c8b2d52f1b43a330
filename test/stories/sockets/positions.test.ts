/** Positions: told now and then, so that a client can see for itself whether it missed anything. */
import { expect, test } from "@jest/globals";
import { story } from "../../support/systems/story.ts";

/** They come every 25 seconds. */
const patienceMs = 60_000;

story("Positions", (world) => {
  test("subscribed sockets are told how far the chats are that moved, and nobody else is", async () => {
    const { a, b, chatId } = await world.pair();
    const other = await world.person();
    await world.befriend(other, b);
    const quiet = (await other.post("/chat/create-direct", { receiverId: b.id })).body._id;
    const [reader, joiner, left] = [await b.connectAndSubscribe(), await a.connect(), await b.connectAndSubscribe()];
    await joiner.callOrThrow("joinChat", { chatId });
    await left.callOrThrow("leaveChat", { chatId });
    const { seq } = (await a.post("/chat/messages", { chatId, text: "It moves" })).body;

    const positions = await reader.waitFor("positions", () => true, patienceMs);
    expect(positions).toEqual({ [chatId]: seq });
    expect(positions).not.toHaveProperty(quiet);
    // Told in the same turn, if they were told.
    for (const line of [joiner, left]) {
      await line.callOrThrow("sync", { since: {} });
      expect(line.payloadsOf("positions")).toEqual([]);
    }
    const { seq: edited } = (await a.patch(`/chat/messages/${(await b.get(`/chat/messages/${chatId}`)).body[0]._id}`, { text: "On" })).body;
    expect(await reader.waitFor("positions", (told) => told[chatId] === edited, patienceMs)).toEqual({ [chatId]: edited });
    // Once for each time it moved: it did not move in between.
    expect(reader.payloadsOf("positions")).toHaveLength(2);
  });
});
