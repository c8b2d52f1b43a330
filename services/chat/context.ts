/** Opens the context of chat's functions. */
import type { Logger } from "moleculer";
import type { Ports } from "../../core/node/ports.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";
import { ReactionBatcher } from "./messages/react.ts";
import { ReceiptPublisher } from "./receipts/publisher.ts";
import { openTimelines, type Timelines } from "./timeline/registry.ts";

export interface ChatContext extends Pick<Ports, "config" | "clock" | "feed"> {
  readonly db: Database;
  readonly timelines: Timelines;
  readonly reactionBatcher: ReactionBatcher;
  readonly receiptPublisher: ReceiptPublisher;
  readonly log: Logger;
}

type ChatResources = Pick<ServiceResources, "db" | "log" | "config" | "feed" | "clock">;

export const openChatContext = ({ db, log, config, feed, clock }: ChatResources): ChatContext => {
  const timelines = openTimelines({ db, feed, clock, log });
  const reactionBatcher = new ReactionBatcher(timelines, config.CONTACTS, clock);
  return { config, clock, feed, db, log, timelines, reactionBatcher, receiptPublisher: new ReceiptPublisher(feed) };
};
