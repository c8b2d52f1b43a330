/** The suite of the security log: over HTTP and sockets it causes every kind of event that concerns an account, and checks the logged lines. */
import { expect, test } from "@jest/globals";
import { eventually } from "../eventually.ts";
import type { Factory } from "../people/factory.ts";
import { requestJson, connect, type Person } from "../people/person.ts";

export interface SecurityWorld {
  readonly made: () => Factory;
  readonly url: () => string;
  /** All that the nodes printed. */
  readonly log: () => string;
}

/** A line of the security log. */
export interface SecurityLine {
  readonly security: string;
  readonly userId?: string;
  readonly address?: string;
  readonly device?: string;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

export const securityLines = (log: string): SecurityLine[] =>
  log
    .split("\n")
    .filter((line) => line.startsWith("{") && line.includes('"security":'))
    .map((line) => JSON.parse(line) as SecurityLine);

const device = "Story/1.0";
const text = "The key is under the third stone";
const [password, wrong, next] = ["Correct-Horse-7", "Wrong-Horse-1", "Newer-Horse-8"];

/** Declares the tests. The nodes must trust one proxy and have rate limits on. */
export function securityStory({ made, url, log }: SecurityWorld): void {
  let hosts = 0;
  /** Headers of a client with an address of its own. */
  const from = () => ({ "x-forwarded-for": `198.51.100.${++hosts}`, "user-agent": device });
  const lineOf = (security: string, fields: Partial<SecurityLine>): Promise<SecurityLine> =>
    eventually(`the line of ${security}`, () =>
      securityLines(log()).find(
        (line) => line.security === security && Object.entries(fields).every(([field, value]) => line[field] === value),
      ),
    );
  async function newcomer(): Promise<{ person: Person; headers: ReturnType<typeof from>; requestId: string }> {
    const [person, headers] = [made().stranger(), from()];
    const answer = await person.signUp(headers);
    expect(answer.status).toBe(201);
    return { person, headers, requestId: answer.headers.get("x-request-id")! };
  }
  const logIn = (emailId: string, presented: string, headers: Readonly<Record<string, string>>) =>
    requestJson(url(), "POST", "/auth/login", { body: { emailId, password: presented }, headers });

  test("a sign-up and a log-in are logged with user, address, device and request id", async () => {
    const { person, headers, requestId } = await newcomer();
    const where = { userId: person.id, address: headers["x-forwarded-for"], device };
    expect(await lineOf("signed_up", { userId: person.id })).toMatchObject({ ...where, requestId });
    const again = await logIn(person.emailId, password, headers);
    expect(await lineOf("logged_in", { userId: person.id })).toMatchObject({ ...where, requestId: again.headers.get("x-request-id") });
  });

  test("a failed log-in is logged with the account's user, or with a hash of the address when there is no such account", async () => {
    const { person, headers } = await newcomer();
    expect((await logIn(person.emailId, wrong, headers)).status).toBe(401);
    expect(await lineOf("log_in_failed", { userId: person.id })).toMatchObject({
      reason: "wrong_password",
      address: headers["x-forwarded-for"],
    });
    const stranger = from();
    const nobody = made().stranger().emailId;
    for (let i = 0; i < 2; i++) expect((await logIn(nobody, wrong, stranger)).status).toBe(401);
    const address = stranger["x-forwarded-for"];
    const lines = await eventually("both lines", () => {
      const found = securityLines(log()).filter((line) => line.address === address);
      return found.length === 2 && found;
    });
    for (const line of lines)
      expect(line).toMatchObject({ security: "log_in_failed", reason: "unknown_account", account: lines[0]!["account"] });
    expect(lines[0]!["account"]).toMatch(/^[0-9a-f]{16}$/);
    expect(lines[0]).not.toHaveProperty("userId");
    expect(log()).not.toContain(nobody);
  });

  test("a log-out, a password change and the sessions that they end are logged", async () => {
    const { person, headers } = await newcomer();
    await logIn(person.emailId, password, headers);
    const change = (oldPassword: string) =>
      person.request("PATCH", "/auth/changePassword", { body: { oldPassword, newPassword: next }, headers });
    expect((await change(wrong)).status).toBe(401);
    expect(await lineOf("password_change_failed", { userId: person.id })).toMatchObject({ address: headers["x-forwarded-for"] });
    expect((await change(password)).status).toBe(200);
    await lineOf("password_changed", { userId: person.id });
    expect(await lineOf("sessions_revoked", { userId: person.id, reason: "passwordChanged" })).toMatchObject({ sessions: 1 });
    expect((await person.request("POST", "/auth/logout", { headers })).status).toBe(200);
    expect(await lineOf("sessions_revoked", { userId: person.id, reason: "loggedOut" })).toMatchObject({
      sessions: 1,
      address: headers["x-forwarded-for"],
    });
  });

  test("a refused request, socket event and handshake from a foreign page are logged as access_denied", async () => {
    const [{ person, headers }, { chatId }] = await Promise.all([newcomer(), made().pair()]);
    const refused = await person.request("GET", `/chat/members/${chatId}`, { headers });
    expect(refused.status).toBe(403);
    expect(await lineOf("access_denied", { userId: person.id, request: "GET /chat/members/:chatId" })).toMatchObject({
      address: headers["x-forwarded-for"],
      requestId: refused.body.requestId,
    });
    const ack = await (await person.connect({ headers })).call("joinChat", { chatId });
    expect(await lineOf("access_denied", { userId: person.id, request: "socket joinChat" })).toMatchObject({
      requestId: (ack as { error: { requestId?: string } }).error.requestId,
    });
    const foreign = from();
    await expect(
      connect(url(), { auth: { token: person.token }, headers: { ...foreign, origin: "https://evil.example.org" } }),
    ).rejects.toThrow();
    await lineOf("access_denied", { address: foreign["x-forwarded-for"], request: "socket handshake" });
  });

  test("a reached rate limit is logged with its name, and only a few times", async () => {
    const headers = from();
    await Promise.all(Array.from({ length: 100 }, () => requestJson(url(), "GET", "/auth/me", { headers })));
    const limitLines = () =>
      securityLines(log()).filter(({ security, address }) => security === "limit_reached" && address === headers["x-forwarded-for"]);
    expect(await lineOf("limit_reached", { address: headers["x-forwarded-for"] })).toMatchObject({
      limit: "http",
      request: "GET /auth/me",
    });
    expect(limitLines().length).toBeLessThanOrEqual(20);
    const { person } = await newcomer();
    const line = await person.connect({ headers });
    await Promise.all(Array.from({ length: 60 }, () => line.call("leaveChat", { chatId: person.id })));
    expect(await lineOf("limit_reached", { userId: person.id })).toMatchObject({ limit: "socket-others", request: "socket leaveChat" });
  });

  test("no log line contains a password, a token, an email address or a message text", async () => {
    const { a, b, chatId } = await made().pair();
    expect((await a.post("/chat/messages", { chatId, text })).status).toBe(201);
    await (await b.connect()).callOrThrow("sendMessage", { chatId, text });
    await b.post("/chat/messages", { chatId, text, unknown: text });
    await b.post("/chat/messages", { chatId: "no id", text });
    await logIn(a.emailId, wrong, from());
    await requestJson(url(), "GET", "/auth/me", { headers: { authorization: `Bearer ${a.token}x` } });
    await lineOf("log_in_failed", { userId: a.id });
    const printed = log();
    for (const hidden of [password, wrong, next, text, a.token, b.token, a.emailId, b.emailId]) expect(printed).not.toContain(hidden);
  });
}
