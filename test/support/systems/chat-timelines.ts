/** Chat as a node runs it, on a store of the tests' own: each node keeps its own state of a chat in memory. */
import { followClock } from "../../../core/clock.ts";
import { readConfig } from "../../../core/config/config.ts";
import { openLocalFeed } from "../../../core/feed/local.ts";
import type { Database, Store } from "../../../core/store/store.ts";
import { openChatContext, type ChatContext, type CallContext } from "../../../services/chat/context.ts";
import { silentLogger } from "../store/stores.ts";

export async function openChatTimelines(store: Store, db: Database): Promise<ChatContext> {
  const clock = await followClock(() => store.time());
  clock.stop();
  return openChatContext({ db, log: silentLogger, config: readConfig({}), feed: openLocalFeed(), clock });
}

/** The node's tools in a call of this person, with no other service to ask. */
export function callContextFor(node: ChatContext, userId: string): CallContext {
  const nobody = () => Promise.resolve([]);
  return { ...node, userId, summaries: nobody, requiredSummaries: nobody, fetchRelations: nobody };
}
