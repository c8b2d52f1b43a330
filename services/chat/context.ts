/** What chat's functions work with, and what they work on in one call. */
import type { Logger } from "moleculer";
import { call, type Ctx } from "../../core/contract/call.ts";
import type { Ports } from "../../core/node/ports.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";
import { profile, type ProfileSummary } from "../profile/contract.ts";
import { request, type Relation } from "../request/contract.ts";
import { ReactionBatcher } from "./messages/react.ts";
import { ReceiptPublisher } from "./receipts/publisher.ts";
import { chatRepository, type ChatRepository } from "./store/repository.ts";
import { openTimelines, type Timelines } from "./timeline/registry.ts";

export interface ChatContext extends Pick<Ports, "config" | "clock" | "feed"> {
  readonly db: Database;
  readonly repository: ChatRepository;
  readonly timelines: Timelines;
  readonly reactionBatcher: ReactionBatcher;
  readonly receiptPublisher: ReceiptPublisher;
  readonly log: Logger;
}

type ChatResources = Pick<ServiceResources, "db" | "log" | "config" | "feed" | "clock">;

export const openChatContext = ({ db, log, config, feed, clock }: ChatResources): ChatContext => {
  const repository = chatRepository(db);
  const timelines = openTimelines({ db, repository, feed, clock, log });
  const reactionBatcher = new ReactionBatcher(timelines, config.CONTACTS, clock);
  return { config, clock, feed, db, log, repository, timelines, reactionBatcher, receiptPublisher: new ReceiptPublisher(feed) };
};

/** The tools in one call: for whom it is, and what other services it may ask. */
export interface CallContext extends ChatContext {
  /** The caller's; empty when a service calls for nobody. */
  readonly userId: string;
  /** Summaries of people by id, for names beside what is shown; those unknown are left out. */
  readonly summaries: (userIds: readonly string[]) => Promise<readonly ProfileSummary[]>;
  /** The same for what is decided or stored by them, and therefore worth waiting for. */
  readonly requiredSummaries: (userIds: readonly string[]) => Promise<readonly ProfileSummary[]>;
  /** Asks `request` how a person stands to others. */
  readonly fetchRelations: (userId: string, otherIds: readonly string[]) => Promise<readonly Relation[]>;
}

/** Names must not hold up what they stand beside. */
const optionalSummariesTimeoutMs = 1500;
/** Leaves a call time for what it does with them. */
const requiredSummariesTimeoutMs = 4000;

export const callContext = (context: ChatContext, ctx: Ctx<unknown>): CallContext => ({
  ...context,
  userId: ctx.meta.user?.id ?? "",
  summaries: (userIds) => summariesOf(ctx, userIds, optionalSummariesTimeoutMs),
  requiredSummaries: (userIds) => summariesOf(ctx, userIds, requiredSummariesTimeoutMs),
  fetchRelations: (userId, otherIds) => call(ctx, request.relations, { userId, otherIds: [...otherIds] }),
});

const summariesOf = (ctx: Ctx<unknown>, userIds: readonly string[], timeout: number): Promise<readonly ProfileSummary[]> =>
  call(ctx, profile.summaries, { userIds: [...userIds] }, { timeout, retries: 0 });
