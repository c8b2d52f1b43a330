/** People: invites, contacts, blocks, profiles. */
import type { ContactRequest, ListedRequest, PersonSince, Profile, ProfileSummary } from "../documents.ts";
import type { HttpClient } from "./http-client.ts";

export type InviteStatus = "pending" | "accepted" | "rejected";
type DataEnvelope<T> = { readonly data: T };

/** What one may change of one's profile; null clears a field. A new picture is a data URI, or a blob. */
export type ProfileChanges = Partial<Pick<Profile, "firstName" | "lastName" | "about" | "gender" | "age" | "profilePic">>;

export class Contacts {
  private readonly http: HttpClient;
  constructor(http: HttpClient) {
    this.http = http;
  }

  /** Asks someone for contact; accepts theirs when it is pending. @throws NOT_FOUND, CONFLICT */
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

  /** Invites one sent, newest first. */
  async sent(status?: InviteStatus): Promise<readonly ListedRequest[]> {
    return (await this.http.request<DataEnvelope<readonly ListedRequest[]>>("GET", "/request/invites/sent", { query: { status } })).data;
  }

  /** Invites one received, newest first. */
  async received(status?: InviteStatus): Promise<readonly ListedRequest[]> {
    return (await this.http.request<DataEnvelope<readonly ListedRequest[]>>("GET", "/request/invites/received", { query: { status } }))
      .data;
  }

  /** One's contacts, the newest first. */
  list(): Promise<readonly PersonSince[]> {
    return this.http.list("/request/connections");
  }

  /** Ends a contact: the direct chat stays readable, and nothing can be sent in it. */
  async end(userId: string): Promise<void> {
    await this.http.request("DELETE", `/request/connections/${userId}`, { isRepeatable: true });
  }

  /** Whom one has blocked, the newest first. */
  blocked(): Promise<readonly PersonSince[]> {
    return this.http.list("/request/blocks");
  }

  async block(userId: string): Promise<void> {
    await this.http.request("PUT", `/request/blocks/${userId}`, { isRepeatable: true });
  }

  async unblock(userId: string): Promise<void> {
    await this.http.request("DELETE", `/request/blocks/${userId}`, { isRepeatable: true });
  }

  /** @throws NOT_FOUND */
  async userIdOf(emailId: string): Promise<string> {
    return (await this.http.request<{ userId: string }>("GET", "/auth/getUserByEmail", { query: { emailId } })).userId;
  }

  /** Someone's profile: whole for contacts, a summary for strangers. */
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
