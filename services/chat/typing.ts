/** Publishes to a chat that a member is typing or has stopped. These notes have no position in the chat's sequence and may be lost. */
import type { CallContext } from "../../core/contract/call.ts";
import { authorizeAction } from "./authorize.ts";
import type { ChatContext } from "./context.ts";
import { chatChannel } from "./contract.ts";

/** @throws Forbidden  the caller may not post in this chat */
export async function publishTyping(context: CallContext<ChatContext>, chatId: string, isTyping: boolean): Promise<void> {
  await authorizeAction(context, chatId, "post");
  context.feed.publish(chatChannel(chatId), { kind: "typing", userId: context.userId, isTyping });
}
