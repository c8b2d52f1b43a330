/** Announces the relation of every pair again after a restore. */
import type { RestoreHooks } from "../../core/store/contents.ts";
import { announceAll } from "../../mixins/announce-all.ts";
import { relationAnnouncement } from "./relations/change-pair.ts";
import { requests } from "./requests.repository.ts";

export const restoring: RestoreHooks = {
  announceState: (db) => announceAll(db, { from: requests, index: "byPair", cursorOf: ({ pair }) => [pair] }, relationAnnouncement),
};
