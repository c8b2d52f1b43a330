/** Tests that a room's repair fetches for as long as the room is open. */
import { expect, test } from "@jest/globals";
import { RoomRepair } from "../../../../services/gateway/socket/rooms/repair.ts";

const page = { chatId: "a chat", seq: 2, n: 2, memberCount: 1, prevSeq: 1, changes: [], memberChanges: [], more: false };

function openRepair(isClosed: () => boolean): { repair: RoomRepair; fetched: number[]; repairs: Promise<void>[] } {
  const fetched: number[] = [];
  const repairs: Promise<void>[] = [];
  let position = { seq: 1, n: 1 };
  const repair = new RoomRepair({
    fetchChanges: (since) => Promise.resolve(fetched.push(since)).then(() => page),
    position: () => position,
    deliver: ({ seq, n }) => (position = { seq, n }),
    enqueue: (task) => repairs.push(task()),
    onChatGone: () => undefined,
    isClosed,
  });
  return { repair, fetched, repairs };
}

test("an open room fetches the changes that it lacks", async () => {
  const { repair, fetched, repairs } = openRepair(() => false);
  repair.fetchUpTo(2, "gap");
  await Promise.all(repairs);
  expect(fetched).toEqual([1]);
});

test("a room that has closed fetches nothing, even if the repair is new", async () => {
  const { repair, fetched, repairs } = openRepair(() => true);
  repair.fetchUpTo(2, "gap");
  await Promise.all(repairs);
  expect(repairs).toHaveLength(1);
  expect(fetched).toEqual([]);
  expect(await repair.fetch(1)).toBeUndefined();
});
