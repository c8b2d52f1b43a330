/** Checks whether the caller may post in a chat or manage it. */
import type { CallContext } from "../../core/contract/call.ts";
import { Forbidden, codeOf } from "../../core/errors.ts";
import type { ChatContext } from "./context.ts";
import { refreshDirectChatRelation } from "./membership/contact-relations.ts";
import { notAMember, authorizePost, authorizeManage } from "./policy.ts";
import { chatById, memberOf } from "./store/repository.ts";

/** @throws Forbidden, NotFound  the caller may not do this in the chat now */
export async function authorizeAction(context: CallContext<ChatContext>, chatId: string, action: "post" | "manage"): Promise<void> {
  const { db, config, userId } = context;
  const check = async () => {
    const [chat, member] = await Promise.all([chatById(db, chatId), memberOf(db, chatId, userId)]);
    if (chat === undefined) throw new Forbidden(notAMember);
    if (action === "post") authorizePost(config.CONTACTS, chat, member);
    else authorizeManage(chat, member);
  };
  try {
    await check();
  } catch (error) {
    // The copy of the relation may be old. Ask request before refusing.
    if (action !== "post" || codeOf(error) !== "FORBIDDEN" || !(await refreshDirectChatRelation(context, chatId))) throw error;
    await check();
  }
}
