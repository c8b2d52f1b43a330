/** Compares the server's facts that the client repeats, because it must not import the server's code. */
import { expect, test } from "@jest/globals";
import { maxPreviewCharacters, maxUnread } from "../../../client/chats/local-chat.ts";
import { sendIntervalMs } from "../../../client/chats/typists.ts";
import { maxListedReaders, maxMembersForReceipts } from "../../../client/chats/watermarks.ts";
import { statusOf } from "../../../client/errors.ts";
import { Parley } from "../../../client/parley.ts";
import type { ProfileChanges } from "../../../client/http/contacts.ts";
import { fileTimeoutMs } from "../../../client/http/http-client.ts";
import type { IncomingEvents } from "../../../client/incoming-events.ts";
import * as errors from "../../../core/errors.ts";
import * as contract from "../../../services/chat/contract.ts";
import * as present from "../../../services/chat/present.ts";
import * as repository from "../../../services/chat/store/repository.ts";
import * as batch from "../../../services/chat/timeline/batch.ts";
import { profile } from "../../../services/profile/contract.ts";
import { requestTimeoutMs } from "../../../services/gateway/http/server.ts";
import { expireAfterMs } from "../../../services/gateway/socket/rooms/typing-indicators.ts";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { serverEvents, type ServerEventPayloads } from "../../../services/gateway/socket/server-events.ts";

/** `true` if each type is assignable to the other. */
type AreSame<A, B> = [A, B] extends [B, A] ? true : false;

test("limits are the server's", () => {
  expect({ maxUnread, maxPreviewCharacters, maxListedReaders, maxMembersForReceipts }).toEqual({
    maxUnread: repository.maxUnread,
    maxPreviewCharacters: batch.maxPreviewCharacters,
    maxListedReaders: present.maxListedReaders,
    maxMembersForReceipts: contract.maxMembersForReceipts,
  });
  // The client takes `members` as complete in chats that have receipts.
  expect(maxMembersForReceipts).toBeLessThanOrEqual(contract.maxShownMembers);
});

test("error codes and statuses are the server's, and OFFLINE", () => {
  expect(statusOf).toEqual({ ...errors.statusOf, OFFLINE: 0 });
});

test("a typing note is repeated at least once before the server lets it expire", () => {
  expect(sendIntervalMs * 2).toBeLessThanOrEqual(expireAfterMs);
});

test("an upload waits longer than the server does", () => {
  expect(fileTimeoutMs).toBeGreaterThan(requestTimeoutMs);
});

test("the client library can change each field that profile.patch takes, and no other", () => {
  // A picture goes as a data URI in `profilePic`, which the gateway stores and passes on as `picture`.
  const isComplete: AreSame<keyof ProfileChanges, Exclude<keyof typeof profile.patch.params, "picture">> = true;
  expect(isComplete).toBe(true);
});

test("the client library has a method for each client event, or none on purpose", () => {
  const methods: Readonly<Record<string, keyof Parley | null>> = {
    // The connection sends these two by itself (client/socket/synchronizer.ts).
    subscribe: null,
    sync: null,
    // A client that subscribes receives all its chats.
    joinChat: null,
    leaveChat: null,
    sendMessage: "send",
    editMessage: "edit",
    deleteMessage: "delete",
    react: "react",
    markRead: "markRead",
    typing: "typing",
  };
  expect(Object.keys(methods).sort()).toEqual(clientEvents.map(({ event }) => event).sort());
  for (const method of Object.values(methods)) if (method !== null) expect(method in Parley.prototype).toBe(true);
});

test("the client handles each server event, with the server's payload", () => {
  // The types check the payloads: a payload that differs makes `true` an error here.
  const handled: { readonly [E in keyof IncomingEvents]: AreSame<IncomingEvents[E], ServerEventPayloads[E]> } = {
    receiveMessage: true,
    messageChanged: true,
    chatChanged: true,
    chatRemoved: true,
    receipt: true,
    typing: true,
    positions: true,
    requestReceived: true,
    requestAnswered: true,
  };
  // The socket connection handles `sessionEnded`. `error` comes only for events sent without an acknowledgement, and it sends none.
  expect([...Object.keys(handled), "sessionEnded", "error"].sort()).toEqual(Object.keys(serverEvents).sort());
});
