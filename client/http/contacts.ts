/** Sends requests about invites, contacts, blocks and profiles. */
import type { ContactRequest, ListedRequest, PersonSince, Profile, ProfileSummary } from "../documents.ts";
import type { HttpClient } from "./http-client.ts";

export type InviteStatus = "pending" | "accepted" | "rejected";
type DataEnvelope<T> = { readonly data: T };

/** The fields to change in the user's profile. null clears a field, but not a name. A new picture is a data URI. */
export type ProfileChanges = Partial<Pick<Profile, "firstName" | "lastName" | "about" | "gender" | "age" | "profilePic">>;

export class Contacts {
  private readonly http: HttpClient;
  constructor(http: HttpClient) {
    this.http = http;
  }

  /**
   * Invites a user to become a contact, or accepts their pending invite.
   * @throws ParleyError  NOT_FOUND: no such user; CONFLICT: already invited, a contact, blocked by you, or declined less than a day ago
   */
  async invite(toEmail: string, message?: string): Promise<ContactRequest> {
    const body = { toEmail, ...(message === undefined ? {} : { message }) };
    return (await this.http.request<DataEnvelope<ContactRequest>>("POST", "/request/invite/send", { body })).data;
  }

  async respond(requestId: string, status: "accepted" | "rejected"): Promise<ContactRequest> {
    return (await this.http.request<DataEnvelope<ContactRequest>>("PATCH", `/request/respond/${requestId}`, { body: { status } })).data;
  }

  async cancel(requestId: string): Promise<void> {
    await this.http.request("DELETE", `/request/cancel/${requestId}`);
  }

  /** The invites that the user sent, newest first. */
  async sent(status?: InviteStatus): Promise<readonly ListedRequest[]> {
    return (await this.http.request<DataEnvelope<readonly ListedRequest[]>>("GET", "/request/invites/sent", { query: { status } })).data;
  }

  /** The invites that the user received, newest first. */
  async received(status?: InviteStatus): Promise<readonly ListedRequest[]> {
    return (await this.http.request<DataEnvelope<readonly ListedRequest[]>>("GET", "/request/invites/received", { query: { status } }))
      .data;
  }

  /** The user's contacts, newest first. */
  list(): Promise<readonly PersonSince[]> {
    return this.http.list("/request/connections");
  }

  /** Ends a contact. The direct chat stays readable, but nothing can be sent in it. */
  async end(userId: string): Promise<void> {
    await this.http.request("DELETE", `/request/connections/${userId}`, { isRepeatable: true });
  }

  /** The people that the user has blocked, newest first. */
  blocked(): Promise<readonly PersonSince[]> {
    return this.http.list("/request/blocks");
  }

  async block(userId: string): Promise<void> {
    await this.http.request("PUT", `/request/blocks/${userId}`, { isRepeatable: true });
  }

  async unblock(userId: string): Promise<void> {
    await this.http.request("DELETE", `/request/blocks/${userId}`, { isRepeatable: true });
  }

  /** @throws ParleyError  NOT_FOUND: no user has this address */
  async userIdOf(emailId: string): Promise<string> {
    return (await this.http.request<{ userId: string }>("GET", "/auth/getUserByEmail", { query: { emailId } })).userId;
  }

  /** A user's profile: the whole for contacts, a summary for everyone else. */
  async profile(userId: string): Promise<Profile | ProfileSummary> {
    return (await this.http.request<DataEnvelope<Profile | ProfileSummary>>("GET", `/profile/profile/${userId}`)).data;
  }

  async myProfile(): Promise<Profile> {
    return (await this.http.request<DataEnvelope<Profile>>("GET", "/profile/getProfile")).data;
  }

  async changeProfile(changes: ProfileChanges): Promise<Profile> {
    return (await this.http.request<DataEnvelope<Profile>>("PUT", "/profile/patchProfile", { body: changes, isRepeatable: true })).data;
  }
}
