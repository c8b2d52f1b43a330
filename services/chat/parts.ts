/** Opens what chat's handlers work with. List it before the database: Moleculer starts the mixin listed last first. */
import { portsOf } from "../../core/node/ports.ts";
import type { Mixin } from "../../core/contract/service.ts";
import type { Database } from "../../core/store/store.ts";
import { chatRepository } from "./chat.repository.ts";
import { startGroupPurge } from "./ending.ts";
import { ReactionBatcher } from "./reacting.ts";
import { ReceiptPublisher } from "./receipt-notes.ts";
import { openTimelines } from "./timelines.ts";
import type { ChatContext } from "./work.ts";

export interface ChatServiceContext extends ChatContext {
  readonly gathering: ReactionBatcher;
}

export const chatContext: Mixin<{ parts: ChatServiceContext }> = {
  started() {
    const { config, feed, clock } = portsOf(this.broker);
    const db = this["db"] as Database;
    const rows = chatRepository(db);
    const timelines = openTimelines({ db, repository: rows, feed, clock, log: this.logger });
    const gathering = new ReactionBatcher(timelines, config.CONTACTS, clock);
    this["parts"] = { config, clock, feed, db, repository: rows, timelines, gathering, receiptNotes: new ReceiptPublisher(feed) };
    this["stopErasing"] = startGroupPurge({ db, repository: rows, clock, log: this.logger });
  },
  stopped() {
    (this["stopErasing"] as (() => void) | undefined)?.();
  },
};
