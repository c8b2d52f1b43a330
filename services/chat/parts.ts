/** Opens what chat's handlers work with. List it before the database: Moleculer starts the mixin listed last first. */
import { portsOf } from "../../core/node/ports.ts";
import type { Mixin } from "../../core/contract/service.ts";
import type { Database } from "../../core/store/store.ts";
import { repository } from "./chat.repository.ts";
import { eraseEnded } from "./ending.ts";
import { Gathering } from "./reacting.ts";
import { ReceiptNotes } from "./receipt-notes.ts";
import { openTimelines } from "./timelines.ts";
import type { Tools } from "./work.ts";

export interface Parts extends Tools {
  readonly gathering: Gathering;
}

export const parts: Mixin<{ parts: Parts }> = {
  started() {
    const { config, feed, clock } = portsOf(this.broker);
    const db = this["db"] as Database;
    const rows = repository(db);
    const timelines = openTimelines({ db, repository: rows, feed, clock, log: this.logger });
    const gathering = new Gathering(timelines, config.CONTACTS, clock);
    this["parts"] = { config, clock, feed, db, repository: rows, timelines, gathering, receiptNotes: new ReceiptNotes(feed) };
    this["stopErasing"] = eraseEnded({ db, repository: rows, clock, log: this.logger });
  },
  stopped() {
    (this["stopErasing"] as (() => void) | undefined)?.();
  },
};
