/** What chat's handlers work with. List it before the database: Moleculer starts the mixin listed last first. */
import type { Database } from "../../core/store/store.ts";
import { portsOf } from "../../core/ports.ts";
import type { Mixin } from "../../core/service.ts";
import { repository, type Repository } from "./chat.repository.ts";
import { openTimelines, type Timelines } from "./timelines.ts";

export const parts: Mixin<{ repository: Repository; timelines: Timelines }> = {
  started() {
    const { feed, clock } = portsOf(this.broker);
    const db = this["db"] as Database;
    this["repository"] = repository(db);
    this["timelines"] = openTimelines({ db, repository: this["repository"] as Repository, feed, clock, log: this.logger });
  },
};
