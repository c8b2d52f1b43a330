/** Routes a change of a message to the node that handles its chat, and applies it there. */
import { call, type CallContext } from "../../../core/contract/call.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import type { ChatContext } from "../context.ts";
import { chat as actions, type Message } from "../contract.ts";
import { withCurrentRelation } from "../membership/contact-relations.ts";
import { deleteChange, editChange } from "./edit.ts";
import { noSuchMessage } from "./visible-message.ts";
import { messageById } from "../store/repository.ts";

/** What an action does to a message. */
type MessageAction = { act: "edit"; text: string } | { act: "remove" } | { act: "react"; emoji: string; on: boolean };

/**
 * Changes a message on the node of its chat.
 * @throws NotFound  no such message; also the errors of the action
 */
export async function routeToChat(context: CallContext<ChatContext>, messageId: string, action: MessageAction): Promise<Message> {
  const message = await messageById(context.db, messageId);
  if (message === undefined) throw noSuchMessage();
  return call(context.ctx, actions.changeMessage, { chatId: message.chatId, messageId, ...action });
}

/** Applies an action on this node, which handles the message's chat. */
export function applyAction(
  context: CallContext<ChatContext>,
  { chatId, messageId, act, text = "", emoji = "", on = true }: Infer<typeof actions.changeMessage.params>,
): Promise<Message> {
  const { config, reactionBatcher, timelines, userId } = context;
  return withCurrentRelation(context, chatId, (expiresAt) => {
    if (act === "react") return reactionBatcher.react(chatId, messageId, { userId, emoji, on }, expiresAt);
    const change = act === "edit" ? editChange(config.CONTACTS, userId, messageId, text) : deleteChange(userId, messageId);
    return timelines.append(chatId, change, expiresAt);
  });
}
