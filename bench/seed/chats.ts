/**
 * Writes groups and long histories directly into a store: a million messages over HTTP would take an hour. Chat's own `ChangeBatch` builds
 * the documents, so that they equal those of a server.
 */
import { newId } from "../../core/ids.ts";
import { insert, updateAll, type Database, type Store } from "../../core/store/store.ts";
import { outbox } from "../../mixins/outbox.ts";
import { chatCollections, chats, members, type ChatRow } from "../../services/chat/store/collections.ts";
import { ChangeBatch } from "../../services/chat/timeline/batch.ts";
import { headSnapshot } from "../../services/chat/timeline/snapshot.ts";

export interface SeededChat {
  readonly chatId: string;
  /** The chat's counters after the last message. */
  readonly n: number;
  readonly seq: number;
}

/** Messages per commit. */
const atOnce = 1000;

export const openChats = (store: Store): Promise<Database> => store.open("chat", [...chatCollections, outbox]);

/** Creates a group of these users, who have read all of its messages. The members send in rotation. */
export async function seedGroup(db: Database, userIds: readonly string[], messageCount = 0): Promise<SeededChat> {
  let chat = await makeGroup(db, userIds);
  let stored: Promise<unknown> = Promise.resolve();
  for (let sent = 0; sent < messageCount; sent += atOnce) {
    const batch = new ChangeBatch(headSnapshot(chat), Date.now());
    for (let i = sent; i < Math.min(sent + atOnce, messageCount); i++) {
      const senderId = userIds[i % userIds.length]!;
      const text = `Message ${i}: the train is late again, so start without me; I shall be there before the soup is cold.`;
      batch.addMessage({ kind: "text", senderId, clientId: newId(), bodyHash, text, replyTo: null });
    }
    chat = batch.chat;
    const operations = batch.operations();
    // Build the next batch while a commit is in flight.
    await stored;
    stored = db.commit(operations);
  }
  await stored;
  await db.commit([updateAll(members, { chatId: chat._id }, { readN: chat.n, deliveredN: chat.n })]);
  return { chatId: chat._id, n: chat.n, seq: chat.seq };
}

/** As long as a real hash; these messages are never resent. */
const bodyHash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/** Writes the chat's row, its members' rows and the system message in one commit, as chat does. */
async function makeGroup(db: Database, userIds: readonly string[]): Promise<ChatRow> {
  const now = Date.now();
  const empty: ChatRow = {
    _id: newId(),
    kind: "group",
    name: "A group",
    n: 0,
    seq: 0,
    sharedSeq: 1,
    changedAt: now,
    memberCount: 0,
    adminCount: 0,
    preview: null,
    lastActivityAt: now,
    createdAt: now,
  };
  const batch = new ChangeBatch(headSnapshot(empty), now);
  userIds.forEach((userId, index) => batch.addMember(userId, index === 0 ? "admin" : "member"));
  batch.addSystemMessage(userIds[0]!, 'created the group "A group"', { event: "created", userIds, name: "A group" });
  await db.commit([insert(chats, batch.chat), ...batch.writes]);
  return batch.chat;
}
