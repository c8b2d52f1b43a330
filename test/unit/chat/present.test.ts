/** Tests the documents that chat makes of its rows. */
import { expect, test } from "@jest/globals";
import { presentMessage } from "../../../services/chat/present.ts";
import type { MessageRow } from "../../../services/chat/store/collections.ts";

const row: MessageRow = {
  _id: "0".repeat(24),
  chatId: "c".repeat(24),
  n: 1,
  seq: 2,
  kind: "file",
  senderId: "a".repeat(24),
  authorId: "a".repeat(24),
  clientId: "client-1",
  bodyHash: "",
  text: "Hello",
  file: { fileId: "f".repeat(24), name: "a.txt", mimeType: "text/plain", size: 1, hasThumb: false },
  replyTo: null,
  reactions: { "👍": { count: 1, userIds: ["b".repeat(24)] } },
  createdAt: 1,
  editedAt: null,
  deletedAt: null,
};

test("a deleted message shows nothing of what a node of the release before left in its row", () => {
  expect(presentMessage(row)).toMatchObject({ text: "Hello", file: { name: "a.txt" }, reactions: { "👍": { count: 1 } } });
  const deleted = presentMessage({ ...row, deletedAt: 5 });
  expect(deleted).toMatchObject({ text: "", reactions: {}, deletedAt: "1970-01-01T00:00:00.005Z", n: 1, seq: 2, clientId: "client-1" });
  expect(deleted).not.toHaveProperty("file");
});
