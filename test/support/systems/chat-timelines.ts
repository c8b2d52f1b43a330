/** Chat as a node runs it, on a store of the tests' own: each node keeps its own state of a chat in memory. */
import { followClock } from "../../../core/clock.ts";
import { readConfig } from "../../../core/config/config.ts";
import { openLocalFeed } from "../../../core/feed/local.ts";
import type { Database, Store } from "../../../core/store/store.ts";
import { chatRepository } from "../../../services/chat/store/repository.ts";
import { ReceiptPublisher } from "../../../services/chat/receipts/publisher.ts";
import { openTimelines } from "../../../services/chat/timeline/registry.ts";
import type { ChatContext, CallContext } from "../../../services/chat/context.ts";
import { silentLogger } from "../store/stores.ts";

export async function openChatTimelines(store: Store, db: Database): Promise<ChatContext> {
  const [config, feed, rows] = [readConfig({}), openLocalFeed(), chatRepository(db)];
  const clock = await followClock(() => store.time());
  clock.stop();
  const timelines = openTimelines({ db, repository: rows, feed, clock, log: silentLogger });
  return { config, clock, feed, db, repository: rows, timelines, receiptNotes: new ReceiptPublisher(feed) };
}

/** The node's tools in a call of this person, with no other service to ask. */
export function callContextFor(node: ChatContext, userId: string): CallContext {
  const nobody = () => Promise.resolve([]);
  return { ...node, userId, summaries: nobody, requiredSummaries: nobody, fetchRelations: nobody };
}
