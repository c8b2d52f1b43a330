/** Sends requests that create chats or change members, admins, names, pictures and settings. Most return the chat after the change. */
import type { Chat, MemberView } from "../documents.ts";
import type { HttpClient } from "./http-client.ts";

/** The user's own settings of a chat. `mutedUntil` is an ISO 8601 time; null ends the mute. */
export interface Settings {
  readonly mutedUntil?: string | null;
  readonly archived?: boolean;
  readonly pinned?: boolean;
}

export class Groups {
  private readonly http: HttpClient;
  private readonly onChat: (chat: Chat) => void;

  /** @param onChat  called with every chat that a request returns */
  constructor(http: HttpClient, onChat: (chat: Chat) => void) {
    this.http = http;
    this.onChat = onChat;
  }

  /** Returns the direct chat with a contact, and creates it if there is none. @throws ParleyError  FORBIDDEN: not a contact */
  direct(userId: string): Promise<Chat> {
    return this.requestChat("POST", "/chat/create-direct", { receiverId: userId }, true);
  }

  /** Creates a group with two or more contacts. The user becomes its admin. */
  create(name: string, userIds: readonly string[]): Promise<Chat> {
    return this.requestChat("POST", "/chat/create-group", { name, participants: userIds });
  }

  add(chatId: string, userId: string): Promise<Chat> {
    return this.requestChat("PUT", "/chat/add-to-group", { chatId, userIdToAdd: userId });
  }

  remove(chatId: string, userId: string): Promise<Chat> {
    return this.requestChat("PUT", "/chat/remove-from-group", { chatId, userIdToRemove: userId }, true);
  }

  /** Leaves a group. The event `chatRemoved` follows. */
  async leave(chatId: string): Promise<void> {
    await this.http.request("PUT", "/chat/leave-group", { body: { chatId } });
  }

  rename(chatId: string, name: string): Promise<Chat> {
    return this.requestChat("PATCH", `/chat/groups/${chatId}`, { name }, true);
  }

  /** @param picture  null removes it */
  setPicture(chatId: string, picture: Blob | null): Promise<Chat> {
    if (picture === null) return this.requestChat("PATCH", `/chat/groups/${chatId}`, { picture }, true);
    const form = new FormData();
    form.append("file", picture, "picture");
    return this.requestChat("PATCH", `/chat/groups/${chatId}`, form, true);
  }

  setAdmin(chatId: string, userId: string, isAdmin: boolean): Promise<Chat> {
    return this.requestChat(isAdmin ? "PUT" : "DELETE", `/chat/groups/${chatId}/admins/${userId}`, undefined, true);
  }

  set(chatId: string, settings: Settings): Promise<Chat> {
    return this.requestChat("PATCH", `/chat/settings/${chatId}`, settings, true);
  }

  /** All members, longest-standing first. A chat's own `members` has at most the first 50. */
  members(chatId: string): Promise<readonly MemberView[]> {
    return this.http.list(`/chat/members/${chatId}`);
  }

  private async requestChat(method: string, path: string, body: unknown, isRepeatable = false): Promise<Chat> {
    const chat = await this.http.request<Chat>(method, path, { ...(body === undefined ? {} : { body }), isRepeatable });
    this.onChat(chat);
    return chat;
  }
}
