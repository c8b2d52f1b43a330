/** A member's own settings of a chat, on every store. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openChats, seedGroup } from "../../../bench/seed/chats.ts";
import { newId } from "../../../core/ids.ts";
import type { Database } from "../../../core/store/store.ts";
import { members } from "../../../services/chat/store/collections.ts";
import { changeSettings, type MemberSettings } from "../../../services/chat/membership/member-settings.ts";
import type { CallContext } from "../../../core/contract/call.ts";
import type { ChatContext } from "../../../services/chat/context.ts";
import { openChatTimelines, callContextFor } from "../../support/systems/chat-timelines.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import type { TestStore } from "../../support/store/stores.ts";

const [ada, ben] = [newId(), newId()];

describeStores("A member's settings", (open) => {
  let opened: TestStore;
  let db: Database;
  let context: CallContext<ChatContext>;
  beforeAll(async () => {
    opened = await open();
    db = await openChats(opened.store);
    context = callContextFor(await openChatTimelines(opened.store, db), ada);
  });
  afterAll(() => opened.remove());

  test("are stored if given, and otherwise kept", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const stored = async () => (await db.find(members, [{ chatId, userId: ada }]))[0];
    await changeSettings(context, chatId, { mutedUntil: "2999-01-01T00:00:00Z", archived: true, pinned: undefined });
    expect(await stored()).toMatchObject({ mutedUntil: Date.UTC(2999, 0), archived: true, pinned: false });
    // `label` stands for a setting that a later release adds.
    const later: MemberSettings = { pinned: true, ...{ label: "work" } };
    await changeSettings(context, chatId, later);
    expect(await stored()).toMatchObject({ mutedUntil: Date.UTC(2999, 0), archived: true, pinned: true, label: "work" });
  });

  test("refuse an empty change", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    await expect(changeSettings(context, chatId, { archived: undefined })).rejects.toMatchObject({ type: "VALIDATION" });
  });
});
