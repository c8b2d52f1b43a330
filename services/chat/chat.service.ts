/** Wires chat: its store, its timelines, and what it hears of how people stand. */
import { call, type Ctx } from "../../core/contract/call.ts";
import { Forbidden } from "../../core/errors.ts";
import { service } from "../../core/contract/service.ts";
import { background } from "../../mixins/background.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import { followed } from "../followers.ts";
import type { RelationEvent } from "../request/contract.ts";
import { userChannel } from "../user-notes.ts";
import { visibleFile } from "./files/access.ts";
import { authorizeAction } from "./authorize.ts";
import { chats, files, members, messages, reactions, relations, type MemberRow } from "./store/collections.ts";
import { chat, type Chat, type Membership, type Message } from "./contract.ts";
import { createDirect, createGroup } from "./membership/create.ts";
import { type CreatedChat } from "./reads/views.ts";
import { deleteChange, editChange } from "./messages/edit.ts";
import { noSuchMessage } from "./messages/visible-message.ts";
import { startGroupPurge } from "./membership/purge-groups.ts";
import { addToGroup, changeGroup, leaveGroup, removeFromGroup, setAdmin } from "./membership/groups.ts";
import { recentChanges } from "./reads/recent-changes.ts";
import { changeSettings } from "./membership/member-settings.ts";
import { publishTyping } from "./typing.ts";
import { pageOfChats, pageOfMembers } from "./reads/paging.ts";
import { isActive, notAMember, isVisible } from "./policy.ts";
import { presentHead, presentMembership, presentMessage } from "./present.ts";
import { markDelivered, markRead } from "./receipts/receipts.ts";
import { applyRelation } from "./membership/contact-relations.ts";
import { fileChange, messagesRepliedTo, send } from "./messages/send.ts";
import { restoring } from "./restoring.ts";
import { sync } from "./reads/sync.ts";
import { changesSince } from "./reads/repair.ts";
import { firstViews, viewOf, viewsOf } from "./reads/views.ts";
import { callContext, openChatContext, type CallContext, type ChatContext } from "./context.ts";

/** What becomes of a message that an action names. */
type MessageAction = { act: "edit"; text: string } | { act: "remove" } | { act: "react"; emoji: string; on: boolean };

async function applyRelationEvent(chatContext: ChatContext, { payload }: ReceivedEvent<RelationEvent>): Promise<void> {
  await applyRelation(chatContext, payload);
}

export default service(chat, {
  restoring,
  mixins: [
    context(openChatContext),
    relay,
    database("chat", [chats, members, messages, reactions, files, relations, outbox]),
    follow(followed.chat, {
      "request.accepted": applyRelationEvent,
      "request.rejected": applyRelationEvent,
      "request.ended": applyRelationEvent,
      "request.blocked": applyRelationEvent,
      "request.unblocked": applyRelationEvent,
    }),
    background(startGroupPurge),
  ],

  methods: {
    work(ctx: Ctx<unknown>): CallContext {
      return callContext(this.context, ctx);
    },

    async memberOf(chatId: string, userId: string): Promise<MemberRow> {
      const member = await this.context.repository.member(chatId, userId);
      if (!isActive(member)) throw new Forbidden(notAMember);
      return member;
    },

    async view(work: CallContext, chatId: string): Promise<{ chat: Chat; membership: Membership }> {
      // The head first: a removal in between then lies above it, and a socket seated there hears of it.
      const row = await work.repository.chat(chatId);
      const member = await this.memberOf(chatId, work.userId);
      return { chat: await viewOf(work, row!, member), membership: presentMembership(member) };
    },

    /** Tells every member of a chat just made, so that their sockets hear it from its first change. @returns the caller's view */
    async announce(work: CallContext, { chat: row, people }: CreatedChat): Promise<Chat> {
      const views = await firstViews(work, { chat: row, people });
      people.forEach(({ userId, joinedN, joinedSeq }, index) => {
        const joined = { chatId: row._id, joinedN, joinedSeq };
        work.feed.publish(userChannel(userId), { event: "chatChanged", data: views[index]!, joined });
      });
      return views[people.findIndex(({ userId }) => userId === work.userId)]!;
    },

    /** Changes a message on the node of its chat. */
    async change(ctx: Ctx<unknown>, messageId: string, act: MessageAction): Promise<Message> {
      const message = await this.context.repository.message(messageId);
      if (message === undefined) throw noSuchMessage();
      return call(ctx, chat.changeMessage, { chatId: message.chatId, messageId, ...act });
    },
  },

  actions: {
    async createDirect(ctx) {
      const work = this.work(ctx);
      const { chat: row, made } = await createDirect(work, ctx.params.receiverId);
      if (made !== undefined) return { chat: await this.announce(work, made), created: true };
      // Whoever made it may have died before they told anyone.
      if (row.n === 0) await this.announce(work, { chat: row, people: await work.repository.firstMembers(row._id) });
      return { chat: (await this.view(work, row._id)).chat, created: false };
    },
    async createGroup(ctx) {
      const { name, participants } = ctx.params;
      const work = this.work(ctx);
      return this.announce(work, await createGroup(work, name, participants));
    },
    async myChats(ctx) {
      const work = this.work(ctx);
      const { page, next } = await pageOfChats(work.repository, work.userId, ctx.params);
      return { chats: await viewsOf(work, page), ...(next === undefined ? {} : { next }) };
    },
    view(ctx) {
      return this.view(this.work(ctx), ctx.params.chatId);
    },
    async history(ctx) {
      const { chatId, before, after, limit } = ctx.params;
      const { repository } = this.context;
      const member = await this.memberOf(chatId, ctx.meta.user!.id);
      const [readers, rows] = await Promise.all([
        repository.firstMembers(chatId),
        after === undefined
          ? repository.messagesBefore(chatId, member.joinedN, before, limit)
          : repository.messagesAfter(chatId, Math.max(after, member.joinedN), limit),
      ]);
      const shown = rows.filter((row) => isVisible(member, row));
      return { messages: shown.map((row) => presentMessage(row, readers)), more: rows.length === limit };
    },

    send(ctx) {
      return send(this.work(ctx), ctx.params.chatId, ctx.params.messages);
    },
    async sendFile(ctx) {
      const { chatId, ...outgoing } = ctx.params;
      const { repository, timelines, config } = this.context;
      const replies = await messagesRepliedTo(repository, [outgoing]);
      const change = fileChange(config.CONTACTS, ctx.meta.user!.id, outgoing, replies.get(outgoing.replyTo ?? ""));
      return timelines.append(chatId, change);
    },
    edit(ctx) {
      return this.change(ctx, ctx.params.messageId, { act: "edit", text: ctx.params.text });
    },
    remove(ctx) {
      return this.change(ctx, ctx.params.messageId, { act: "remove" });
    },
    react(ctx) {
      const { messageId, emoji, on } = ctx.params;
      return this.change(ctx, messageId, { act: "react", emoji, on });
    },
    changeMessage(ctx) {
      const { chatId, messageId, act, text = "", emoji = "", on = true } = ctx.params;
      const { timelines, reactionBatcher, config } = this.context;
      const userId = ctx.meta.user?.id ?? "";
      if (act === "react") return reactionBatcher.react(chatId, messageId, { userId, emoji, on });
      return timelines.append(
        chatId,
        act === "edit" ? editChange(config.CONTACTS, userId, messageId, text) : deleteChange(userId, messageId),
      );
    },

    addToGroup(ctx) {
      return addToGroup(this.work(ctx), ctx.params.chatId, ctx.params.userIdToAdd);
    },
    removeFromGroup(ctx) {
      return removeFromGroup(this.work(ctx), ctx.params.chatId, ctx.params.userIdToRemove);
    },
    async leaveGroup(ctx) {
      return { chat: await leaveGroup(this.work(ctx), ctx.params.chatId) };
    },
    changeGroup(ctx) {
      const { chatId, ...changes } = ctx.params;
      return changeGroup(this.work(ctx), chatId, changes);
    },
    setAdmin(ctx) {
      const { chatId, userId, isAdmin } = ctx.params;
      return setAdmin(this.work(ctx), chatId, userId, isAdmin);
    },
    async members(ctx) {
      await this.memberOf(ctx.params.chatId, ctx.meta.user!.id);
      return pageOfMembers(this.context.repository, ctx.params);
    },

    async authorize(ctx) {
      await authorizeAction(this.work(ctx), ctx.params.chatId, ctx.params.act);
      return null;
    },
    file(ctx) {
      return visibleFile(this.work(ctx), ctx.params.fileId);
    },
    async filesInUse(ctx) {
      return (await this.context.repository.files(ctx.params.fileIds)).map(({ _id }) => _id);
    },

    changeSettings(ctx) {
      const { chatId, ...settings } = ctx.params;
      return changeSettings(this.work(ctx), chatId, settings);
    },
    markRead(ctx) {
      return markRead(this.work(ctx), ctx.params.chatId, ctx.params.n);
    },
    async markDelivered(ctx) {
      await markDelivered(this.context, ctx.params.chatId, ctx.params.marks);
      return null;
    },
    async typing(ctx) {
      await publishTyping(this.work(ctx), ctx.params.chatId, ctx.params.isTyping);
      return null;
    },

    sync(ctx) {
      return sync(this.work(ctx), ctx.params.since);
    },
    async memberships(ctx) {
      return (await this.context.repository.memberships(ctx.params.userId)).map(presentMembership);
    },
    async changes(ctx) {
      const found = await changesSince(this.context.repository, ctx.params.chatId, ctx.params.since);
      if (found === undefined) throw new Forbidden(notAMember);
      return found;
    },
    moved(ctx) {
      return recentChanges(this.context.repository, ctx.params.since, ctx.params.cursor, this.context.clock.now());
    },
    async heads(ctx) {
      return (await this.context.repository.chats(ctx.params.chatIds)).map(presentHead);
    },
    async applyRelation(ctx) {
      await applyRelation(this.context, ctx.params);
      return null;
    },
  },
});
