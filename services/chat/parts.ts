/** Opens what chat's handlers work with. List it before the database: Moleculer starts the mixin listed last first. */
import { portsOf } from "../../core/node/ports.ts";
import type { Mixin } from "../../core/contract/service.ts";
import type { Database } from "../../core/store/store.ts";
import { chatRepository } from "./store/repository.ts";
import { startGroupPurge } from "./membership/purge-groups.ts";
import { ReactionBatcher } from "./messages/react.ts";
import { ReceiptPublisher } from "./receipts/publisher.ts";
import { openTimelines } from "./timeline/registry.ts";
import type { ChatContext } from "./context.ts";

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
