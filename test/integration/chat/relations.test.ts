/** Chat's copy of two users' relation may be old. Chat asks `request` before it refuses anything in their direct chat. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { update } from "../../../core/store/store.ts";
import authService from "../../../services/auth/auth.service.ts";
import chatService from "../../../services/chat/chat.service.ts";
import { chat } from "../../../services/chat/contract.ts";
import { chats, messages } from "../../../services/chat/store/collections.ts";
import profileService from "../../../services/profile/profile.service.ts";
import { request } from "../../../services/request/contract.ts";
import requestService from "../../../services/request/request.service.ts";
import { requests } from "../../../services/request/requests.repository.ts";
import type { ChangingAction } from "../../support/client/message-changes.ts";
import { asUser, signUpUser, startServices, type InProcessServices, type SignedUpUser } from "../../support/systems/services.ts";

describe("A direct chat", () => {
  let services: InProcessServices;
  let ada: SignedUpUser;
  let ben: SignedUpUser;
  let chatId: string;
  let messageId: string;
  /** How far the nodes' clock is ahead of the real time. */
  let passedMs = 0;
  /** How long the answer about a relation seems to take. */
  let relationsTakeMs = 0;
  const slowRequestService: ServiceSchema = {
    ...requestService,
    hooks: {
      after: {
        relations(_ctx: unknown, answer: unknown) {
          passedMs += relationsTakeMs;
          return answer;
        },
      },
    },
  };
  beforeAll(async () => {
    services = await startServices(authService, profileService, slowRequestService, chatService);
    const { clock } = portsOf(services.broker);
    const now = clock.now.bind(clock);
    clock.now = () => now() + passedMs;
    [ada, ben] = [await signUpUser(services.broker, "Ada"), await signUpUser(services.broker, "Ben")];
    const invite = await call(services.broker, request.invite, { toEmail: ben.emailId }, asUser(ada));
    await call(services.broker, request.respond, { requestId: invite._id, status: "accepted" }, asUser(ben));
    ({ _id: chatId } = (await call(services.broker, chat.createDirect, { receiverId: ben.userId }, asUser(ada))).chat);
    const [sent] = await call(services.broker, chat.send, { chatId, messages: [{ text: "Hello", clientId: newId() }] }, asUser(ada));
    messageId = (sent as { message: { _id: string } }).message._id;
  });
  afterAll(() => services.stop());

  const admitted = { purpose: "message", expiresAt: Date.now() + 60_000 } as const;
  const file = () => ({ fileId: newId(), name: "a.txt", mimeType: "text/plain", size: 1, hasThumb: false, ...admitted });
  const fileMessage = () => ({ chatId, clientId: newId(), file: file(), sha256: "0".repeat(64) });
  /** The actions that need the right to post. */
  type PostingAction = "authorize" | "send" | "sendFile" | "typing" | Exclude<ChangingAction, "remove">;
  const attempts: Readonly<Record<PostingAction, () => Promise<unknown>>> = {
    authorize: () => call(services.broker, chat.authorize, { chatId, act: "post" }, asUser(ada)),
    async send() {
      const [result] = await call(services.broker, chat.send, { chatId, messages: [{ text: "Again", clientId: newId() }] }, asUser(ada));
      if (!result!.ok) throw Object.assign(new Error(result!.error.message), { type: result!.error.code });
    },
    sendFile: () => call(services.broker, chat.sendFile, { chatId, clientId: newId(), file: file(), sha256: "0".repeat(64) }, asUser(ada)),
    edit: () => call(services.broker, chat.edit, { messageId, text: `Edited ${newId()}` }, asUser(ada)),
    react: () => call(services.broker, chat.react, { messageId, emoji: "👍", on: true }, asUser(ada)),
    typing: () => call(services.broker, chat.typing, { chatId, isTyping: true }, asUser(ada)),
  };

  /** Ends the contact, then makes the two contacts again, which chat is not told. */
  async function renewUnnoticed(): Promise<number> {
    await call(services.broker, request.end, { userId: ben.userId }, asUser(ada));
    const [ended] = await call(services.broker, request.relations, { userId: ada.userId, otherIds: [ben.userId] });
    const { pair, rev } = ended!;
    await services.db("request").commit([update(requests, { pair }, { state: "accepted", rev: rev + 1 })]);
    return rev + 1;
  }

  test.each(Object.entries(attempts))("allows %s although its copy of the relation is old and would refuse", async (_name, attempt) => {
    const rev = await renewUnnoticed();
    await attempt();
    const stored = await services.db("chat").get(chats, chatId);
    expect(stored!.relation).toEqual({ state: "accepted", rev });
  });

  // No repeats: in reality the caller does not wait any more, and so repeats nothing.
  const once = { retries: 0 };
  const change = { act: "edit", text: "Too late" } as const;
  const reaction = { act: "react", emoji: "🎉", on: true } as const;
  test.each([
    ["an edit", () => call(services.broker, chat.changeMessage, { chatId, messageId, ...change }, { ...asUser(ada), ...once })],
    ["a reaction", () => call(services.broker, chat.changeMessage, { chatId, messageId, ...reaction }, { ...asUser(ada), ...once })],
    ["a file", () => call(services.broker, chat.sendFile, fileMessage(), { ...asUser(ada), ...once })],
  ])("does not store %s if the caller gave up while the relation was fetched", async (_name, attempt) => {
    const read = async () => [await services.db("chat").get(messages, messageId), (await services.db("chat").get(chats, chatId))!.n];
    const before = await read();
    await renewUnnoticed();
    relationsTakeMs = 20_000;
    try {
      await expect(attempt()).rejects.toMatchObject({ type: "UNAVAILABLE" });
    } finally {
      [relationsTakeMs, passedMs] = [0, 0];
    }
    expect(await read()).toEqual(before);
  });

  test.each(Object.entries(attempts))("refuses %s once the contact has ended", async (_name, attempt) => {
    await call(services.broker, request.end, { userId: ben.userId }, asUser(ada));
    await expect(attempt()).rejects.toMatchObject({ type: "FORBIDDEN" });
  });
});
