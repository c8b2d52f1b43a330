/** Opens the context of a chat node on a given store, without a broker. Each context keeps its own state of a chat in memory. */
import { followClock } from "../../../core/clock.ts";
import { readConfig } from "../../../core/config/config.ts";
import { inCall, type CallContext, type Ctx } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { openLocalFeed } from "../../../core/feed/local.ts";
import type { Database, Store } from "../../../core/store/store.ts";
import { openChatContext, type ChatContext } from "../../../services/chat/context.ts";
import { silentLogger } from "../store/stores.ts";

export async function openChatTimelines(store: Store, db: Database): Promise<ChatContext> {
  const clock = await followClock(() => store.time());
  clock.stop();
  return openChatContext({ db, log: silentLogger, config: readConfig({}), feed: openLocalFeed(), clock });
}

/** The context of a call by this user. Calls to other services fail. */
export function callContextFor(node: ChatContext, userId: string): CallContext<ChatContext> {
  const ctx: Partial<Ctx<unknown>> = {
    meta: { user: { id: userId, sessionId: newId() } },
    call: () => Promise.reject(new Error("no other service runs")),
  };
  return inCall(node, ctx as Ctx<unknown>);
}
