/** Wires chat: its store, its timelines, and what it hears of how people stand. */
import { call, type Ctx } from "../../core/call.ts";
import { Forbidden } from "../../core/errors.ts";
import { userChannel, type UserNote } from "../../core/feed/channels.ts";
import { portsOf } from "../../core/ports.ts";
import { service } from "../../core/service.ts";
import type { Database } from "../../core/store/store.ts";
import { database } from "../../mixins/database.ts";
import { follow, on } from "../../mixins/follower.ts";
import { profile } from "../profile/contract.ts";
import { request, requestEvents } from "../request/contract.ts";
import type { Repository } from "./chat.repository.ts";
import { chats, members, messages, relations, type MemberRow } from "./collections.ts";
import { chat, type Chat, type Membership } from "./contract.ts";
import { createDirect, createGroup, type CreationParts, type Made } from "./creation.ts";
import { moved } from "./moved.ts";
import { pageOfChats } from "./paging.ts";
import { parts } from "./parts.ts";
import { isActive, notAMember, visible } from "./policy.ts";
import { presentHead, presentMembership, presentMessage } from "./present.ts";
import { applyRelation } from "./relations.ts";
import { outcomeOf, sendChange } from "./sending.ts";
import { repairOf, sync } from "./sync.ts";
import { expiry } from "./timeline.ts";
import type { Timelines } from "./timelines.ts";
import { firstViews, viewsOf, type Summaries } from "./views.ts";

/** Names must not hold up what they stand beside. */
const namesWithinMs = 1500;

const summariesFor =
  (ctx: Ctx<unknown>): Summaries =>
  (userIds) =>
    call(ctx, profile.summaries, { userIds: [...userIds] }, { timeout: namesWithinMs, retries: 0 });

interface Following {
  db: Database;
  repository: Repository;
  timelines: Timelines;
}

export default service(chat, {
  mixins: [
    parts,
    database("chat", [chats, members, messages, relations]),
    follow(
      "chat",
      Object.values(requestEvents).map((event) =>
        on(event, async function (this: Following, { payload }) {
          await applyRelation(this.db, this.repository, this.timelines, payload);
        }),
      ),
    ),
  ],

  methods: {
    async memberOf(chatId: string, userId: string): Promise<MemberRow> {
      const member = await this.repository.member(chatId, userId);
      if (!isActive(member)) throw new Forbidden(notAMember);
      return member;
    },

    async view(ctx: Ctx<unknown>, chatId: string): Promise<{ chat: Chat; membership: Membership }> {
      // The head first: a removal in between then lies above it, and a socket seated there hears of it.
      const row = await this.repository.chat(chatId);
      const member = await this.memberOf(chatId, ctx.meta.user!.id);
      const [view] = await viewsOf(this.repository, summariesFor(ctx), [[row!, member]]);
      return { chat: view!, membership: presentMembership(member) };
    },

    creation(ctx: Ctx<unknown>): CreationParts {
      const { config, clock } = portsOf(this.broker);
      return {
        db: this.db,
        repository: this.repository,
        contacts: config.CONTACTS,
        groupLimit: config.GROUP_LIMIT,
        now: () => clock.now(),
        askRelations: (userId, otherIds) => call(ctx, request.relations, { userId, otherIds: [...otherIds] }),
        existing: async (userIds) => new Set((await summariesFor(ctx)(userIds)).map(({ userId }) => userId)),
      };
    },

    /** Tells every member of a chat just made, so that their sockets hear it from its first change. @returns the caller's view */
    async announce(ctx: Ctx<unknown>, { chat: row, people }: Made): Promise<Chat> {
      const { feed } = portsOf(this.broker);
      const views = await firstViews(summariesFor(ctx), { chat: row, people });
      people.forEach(({ userId, joinedN, joinedSeq }, index) => {
        const note: UserNote = { event: "chatChanged", data: views[index], joined: { chatId: row._id, joinedN, joinedSeq } };
        feed.publish(userChannel(userId), note);
      });
      return views[people.findIndex(({ userId }) => userId === ctx.meta.user!.id)]!;
    },
  },

  actions: {
    async createDirect(ctx) {
      const { chat: row, made } = await createDirect(this.creation(ctx), ctx.meta.user!.id, ctx.params.receiverId);
      if (made !== undefined) return { chat: await this.announce(ctx, made), created: true };
      // Whoever made it may have died before they told anyone.
      if (row.n === 0) await this.announce(ctx, { chat: row, people: await this.repository.firstMembers(row._id) });
      return { chat: (await this.view(ctx, row._id)).chat, created: false };
    },

    async createGroup(ctx) {
      const { name, participants } = ctx.params;
      return this.announce(ctx, await createGroup(this.creation(ctx), ctx.meta.user!.id, name, participants));
    },

    async myChats(ctx) {
      const { page, next } = await pageOfChats(this.repository, ctx.meta.user!.id, ctx.params);
      return { chats: await viewsOf(this.repository, summariesFor(ctx), page), ...(next === undefined ? {} : { next }) };
    },

    view(ctx) {
      return this.view(ctx, ctx.params.chatId);
    },

    async history(ctx) {
      const { chatId, before, after, limit } = ctx.params;
      const member = await this.memberOf(chatId, ctx.meta.user!.id);
      const rows =
        after === undefined
          ? await this.repository.messagesBefore(chatId, member.joinedN, before, limit)
          : await this.repository.messagesAfter(chatId, Math.max(after, member.joinedN), limit);
      return { messages: rows.filter((row) => visible(member, row)).map(presentMessage), more: rows.length === limit };
    },

    async send(ctx) {
      const { chatId, messages: outgoing } = ctx.params;
      const { config, clock } = portsOf(this.broker);
      const expiresAt = expiry(clock);
      const replies = outgoing.flatMap(({ replyTo }) => (replyTo === undefined ? [] : [replyTo]));
      const repliedTo = new Map((replies.length === 0 ? [] : await this.repository.messages(replies)).map((row) => [row._id, row]));
      const sendings = outgoing.map((message) => {
        const change = sendChange(config.CONTACTS, ctx.meta.user!.id, chatId, message, repliedTo.get(message.replyTo ?? ""));
        return outcomeOf(this.timelines.append(chatId, change, expiresAt));
      });
      return Promise.all(sendings);
    },

    sync(ctx) {
      return sync(this.repository, summariesFor(ctx), ctx.meta.user!.id, ctx.params.since);
    },

    async memberships(ctx) {
      return (await this.repository.memberships(ctx.params.userId)).map(presentMembership);
    },

    async changes(ctx) {
      const found = await repairOf(this.repository, ctx.params.chatId, ctx.params.since);
      if (found === undefined) throw new Forbidden(notAMember);
      return found;
    },

    moved(ctx) {
      return moved(this.repository, ctx.params.since, ctx.params.cursor, portsOf(this.broker).clock.now());
    },

    async heads(ctx) {
      return (await this.repository.chats(ctx.params.chatIds)).map(presentHead);
    },
  },
});
