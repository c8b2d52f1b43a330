/** Checks whether the caller may post in a chat or manage it. */
import type { CallContext } from "../../core/contract/call.ts";
import { Forbidden } from "../../core/errors.ts";
import type { ChatContext } from "./context.ts";
import { withCurrentRelation } from "./membership/contact-relations.ts";
import { notAMember, authorizePost, authorizeManage } from "./policy.ts";
import { chatById, memberOf } from "./store/repository.ts";

/** @throws Forbidden, NotFound  the caller may not do this in the chat now */
export async function authorizeAction(context: CallContext<ChatContext>, chatId: string, action: "post" | "manage"): Promise<void> {
  const { db, config, userId } = context;
  await withCurrentRelation(context, chatId, async () => {
    const [chat, member] = await Promise.all([chatById(db, chatId), memberOf(db, chatId, userId)]);
    if (chat === undefined) throw new Forbidden(notAMember);
    if (action === "post") authorizePost(config.CONTACTS, chat, member);
    else authorizeManage(chat, member);
  });
}
