/** Making chats, and what one does to them: members, admins, name and picture, one's own settings. Each act answers the chat after it. */
import type { Chat, MemberView } from "../documents.ts";
import type { HttpClient } from "./http-client.ts";

/** One's own view of a chat. `mutedUntil` is an ISO-8601 time; null ends it. */
export interface Settings {
  readonly mutedUntil?: string | null;
  readonly archived?: boolean;
  readonly pinned?: boolean;
}

export class Groups {
  private readonly http: HttpClient;
  private readonly onChat: (chat: Chat) => void;

  /** @param onChat  learns of every chat answered */
  constructor(http: HttpClient, onChat: (chat: Chat) => void) {
    this.http = http;
    this.onChat = onChat;
  }

  /** The chat with a contact; there is one, whoever asks first. @throws FORBIDDEN  no contact */
  direct(userId: string): Promise<Chat> {
    return this.requestChat("POST", "/chat/create-direct", { receiverId: userId }, true);
  }

  /** A group of two or more of one's contacts, oneself its admin. */
  create(name: string, userIds: readonly string[]): Promise<Chat> {
    return this.requestChat("POST", "/chat/create-group", { name, participants: userIds });
  }

  add(chatId: string, userId: string): Promise<Chat> {
    return this.requestChat("PUT", "/chat/add-to-group", { chatId, userIdToAdd: userId });
  }

  remove(chatId: string, userId: string): Promise<Chat> {
    return this.requestChat("PUT", "/chat/remove-from-group", { chatId, userIdToRemove: userId }, true);
  }

  /** Leaves a group; `chatRemoved` says when it is gone. */
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

  /** All members, longest there first; a chat's own `members` are the first 50. */
  members(chatId: string): Promise<readonly MemberView[]> {
    return this.http.list(`/chat/members/${chatId}`);
  }

  private async requestChat(method: string, path: string, body: unknown, isRepeatable = false): Promise<Chat> {
    const chat = await this.http.request<Chat>(method, path, { ...(body === undefined ? {} : { body }), isRepeatable });
    this.onChat(chat);
    return chat;
  }
}
