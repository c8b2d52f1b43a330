/** Chat's timelines on a store of the tests' own, as a node runs them: each node keeps its own state of a chat in memory. */
import { followClock } from "../../core/clock.ts";
import { openLocalFeed } from "../../core/feed/local.ts";
import type { Database, Store } from "../../core/store/store.ts";
import { repository } from "../../services/chat/chat.repository.ts";
import { openTimelines, type Timelines } from "../../services/chat/timelines.ts";
import { silent } from "./stores.ts";

export async function startNode(store: Store, db: Database): Promise<Timelines> {
  const clock = await followClock(() => store.time());
  clock.stop();
  return openTimelines({ db, repository: repository(db), feed: openLocalFeed(), clock, log: silent });
}
