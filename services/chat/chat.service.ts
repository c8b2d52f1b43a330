/** Wires chat: chats, members, messages and receipts. Each action is one call of a function in the folders beside it. */
import { inCall } from "../../core/contract/call.ts";
import { service } from "../../core/contract/service.ts";
import { background } from "../../mixins/background.ts";
import { context } from "../../mixins/context.ts";
import { database } from "../../mixins/database.ts";
import { follow, type ReceivedEvent } from "../../mixins/follower.ts";
import { outbox, relay } from "../../mixins/outbox.ts";
import { followed } from "../followers.ts";
import type { RelationEvent } from "../request/contract.ts";
import { authorizeAction } from "./authorize.ts";
import { openChatContext, type ChatContext } from "./context.ts";
import { chat } from "./contract.ts";
import { visibleFile } from "./files/access.ts";
import { applyRelation } from "./membership/contact-relations.ts";
import { createDirect, createGroup } from "./membership/create.ts";
import { addToGroup, changeGroup, leaveGroup, removeFromGroup, setAdmin } from "./membership/groups.ts";
import { changeSettings } from "./membership/member-settings.ts";
import { startGroupPurge } from "./membership/purge-groups.ts";
import { applyAction, routeToChat } from "./messages/message-actions.ts";
import { send, sendFile } from "./messages/send.ts";
import { presentHead, presentMembership } from "./present.ts";
import { history } from "./reads/history.ts";
import { pageOfChats, pageOfMembers } from "./reads/paging.ts";
import { recentChanges } from "./reads/recent-changes.ts";
import { changesSince } from "./reads/repair.ts";
import { sync } from "./reads/sync.ts";
import { ownView } from "./reads/views.ts";
import { markDelivered, markRead } from "./receipts/receipts.ts";
import { restoring } from "./restoring.ts";
import { chatCollections } from "./store/collections.ts";
import { publishTyping } from "./typing.ts";
import { chatsById, filesById, membershipsOf } from "./store/repository.ts";

const applyRelationEvent = (chatContext: ChatContext, { payload }: ReceivedEvent<RelationEvent>): Promise<void> =>
  applyRelation(chatContext, payload);

export default service(chat, {
  restoring,
  mixins: [
    context(openChatContext),
    relay,
    database("chat", [...chatCollections, outbox]),
    follow(followed.chat, {
      "request.accepted": applyRelationEvent,
      "request.rejected": applyRelationEvent,
      "request.ended": applyRelationEvent,
      "request.blocked": applyRelationEvent,
      "request.unblocked": applyRelationEvent,
    }),
    background(startGroupPurge),
  ],

  actions: {
    createDirect(ctx) {
      return createDirect(inCall(this.context, ctx), ctx.params.receiverId);
    },
    createGroup(ctx) {
      return createGroup(inCall(this.context, ctx), ctx.params.name, ctx.params.participants);
    },
    myChats(ctx) {
      return pageOfChats(inCall(this.context, ctx), ctx.params);
    },
    view(ctx) {
      return ownView(inCall(this.context, ctx), ctx.params.chatId);
    },
    history(ctx) {
      return history(inCall(this.context, ctx), ctx.params);
    },

    send(ctx) {
      return send(inCall(this.context, ctx), ctx.params.chatId, ctx.params.messages);
    },
    sendFile(ctx) {
      return sendFile(inCall(this.context, ctx), ctx.params);
    },
    edit(ctx) {
      return routeToChat(inCall(this.context, ctx), ctx.params.messageId, { act: "edit", text: ctx.params.text });
    },
    remove(ctx) {
      return routeToChat(inCall(this.context, ctx), ctx.params.messageId, { act: "remove" });
    },
    react(ctx) {
      const { messageId, emoji, on } = ctx.params;
      return routeToChat(inCall(this.context, ctx), messageId, { act: "react", emoji, on });
    },
    changeMessage(ctx) {
      return applyAction(inCall(this.context, ctx), ctx.params);
    },

    addToGroup(ctx) {
      return addToGroup(inCall(this.context, ctx), ctx.params.chatId, ctx.params.userIdToAdd);
    },
    removeFromGroup(ctx) {
      return removeFromGroup(inCall(this.context, ctx), ctx.params.chatId, ctx.params.userIdToRemove);
    },
    async leaveGroup(ctx) {
      return { chat: await leaveGroup(inCall(this.context, ctx), ctx.params.chatId) };
    },
    changeGroup(ctx) {
      const { chatId, ...changes } = ctx.params;
      return changeGroup(inCall(this.context, ctx), chatId, changes);
    },
    setAdmin(ctx) {
      const { chatId, userId, isAdmin } = ctx.params;
      return setAdmin(inCall(this.context, ctx), chatId, userId, isAdmin);
    },
    members(ctx) {
      return pageOfMembers(inCall(this.context, ctx), ctx.params);
    },

    async authorize(ctx) {
      await authorizeAction(inCall(this.context, ctx), ctx.params.chatId, ctx.params.act);
      return null;
    },
    file(ctx) {
      return visibleFile(inCall(this.context, ctx), ctx.params.fileId);
    },
    async filesInUse(ctx) {
      return (await filesById(this.context.db, ctx.params.fileIds)).map(({ _id }) => _id);
    },

    changeSettings(ctx) {
      const { chatId, ...settings } = ctx.params;
      return changeSettings(inCall(this.context, ctx), chatId, settings);
    },
    markRead(ctx) {
      return markRead(inCall(this.context, ctx), ctx.params.chatId, ctx.params.n);
    },
    async markDelivered(ctx) {
      await markDelivered(this.context, ctx.params.chatId, ctx.params.marks);
      return null;
    },
    async typing(ctx) {
      await publishTyping(inCall(this.context, ctx), ctx.params.chatId, ctx.params.isTyping);
      return null;
    },

    sync(ctx) {
      return sync(inCall(this.context, ctx), ctx.params.since);
    },
    async memberships(ctx) {
      return (await membershipsOf(this.context.db, ctx.params.userId)).map(presentMembership);
    },
    changes(ctx) {
      return changesSince(this.context.db, ctx.params.chatId, ctx.params.since);
    },
    moved(ctx) {
      return recentChanges(this.context.db, ctx.params.since, ctx.params.cursor, this.context.clock.now());
    },
    async heads(ctx) {
      return (await chatsById(this.context.db, ctx.params.chatIds)).map(presentHead);
    },
    async applyRelation(ctx) {
      await applyRelation(this.context, ctx.params);
      return null;
    },
  },
});
