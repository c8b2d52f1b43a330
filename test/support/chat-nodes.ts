/** Chat as a node runs it, on a store of the tests' own: each node keeps its own state of a chat in memory. */
import { followClock } from "../../core/clock.ts";
import { readConfig } from "../../core/config/config.ts";
import { openLocalFeed } from "../../core/feed/local.ts";
import type { Database, Store } from "../../core/store/store.ts";
import { repository } from "../../services/chat/chat.repository.ts";
import { ReceiptNotes } from "../../services/chat/receipt-notes.ts";
import { openTimelines } from "../../services/chat/timelines.ts";
import type { Tools, Work } from "../../services/chat/work.ts";
import { silent } from "./stores.ts";

export async function startNode(store: Store, db: Database): Promise<Tools> {
  const [config, feed, rows] = [readConfig({}), openLocalFeed(), repository(db)];
  const clock = await followClock(() => store.time());
  clock.stop();
  const timelines = openTimelines({ db, repository: rows, feed, clock, log: silent });
  return { config, clock, feed, db, repository: rows, timelines, receiptNotes: new ReceiptNotes(feed) };
}

/** The node's tools in a call of this person, with no other service to ask. */
export function workFor(node: Tools, userId: string): Work {
  const nobody = () => Promise.resolve([]);
  return { ...node, userId, summaries: nobody, knownPeople: nobody, askRelations: nobody };
}
