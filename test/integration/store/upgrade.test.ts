/** Opens an embedded server's data that the old release has written. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { rm } from "node:fs/promises";
import { schemaOf, schemas } from "../../../core/store/migrations.ts";
import { allServiceData } from "../../../scripts/operator/service-data.ts";
import { factory } from "../../support/people/factory.ts";
import { checkOut, lackingRelease, oldRelease } from "../../support/servers/old-release.ts";
import type { Person } from "../../support/people/person.ts";
import { freePort, startEmbedded, temporaryFolder } from "../../support/servers/server.ts";
import { openStoreAt } from "../../support/store/stores.ts";
import { file, sendForm, text } from "../../support/files/uploads.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const lacking = lackingRelease(oldRelease);
const describeUpgrade = lacking === undefined || process.env["REQUIRE_INFRA"] === "1" ? describe : describe.skip;

describeUpgrade(`An embedded server's upgrade${lacking === undefined ? "" : ` (skipped, it needs ${lacking})`}`, () => {
  test("keeps everything that the old release stored, with its sessions and positions, and continues from there", async () => {
    const [dataDir, port] = [await temporaryFolder(), await freePort()];
    cleanUps.push(() => rm(dataDir, { recursive: true }));
    const release = await checkOut(oldRelease);
    cleanUps.push(() => release.remove());
    const old = await startEmbedded({ dataDir, port, root: release.root });
    cleanUps.push(() => old.stop());

    const made = factory(() => [old.url]);
    const { members, chatId: groupId } = await made.group(3);
    const [founder, other] = members as [Person, Person, ...Person[]];
    const { a, b, chatId } = await made.pair();
    const everyone = [...members, a, b];
    const line = await a.connectAndSubscribe();
    for (let i = 1; i <= 30; i++) await line.callOrThrow("sendMessage", { chatId, text: `message ${i}`, clientId: `c${i}` });
    const [first] = (await b.get(`/chat/messages/${chatId}?limit=1&after=0`)).body as [{ _id: string }];
    expect((await a.patch(`/chat/messages/${first._id}`, { text: "edited" })).status).toBe(200);
    expect((await b.put(`/chat/messages/${first._id}/reactions/${encodeURIComponent("👍")}`)).status).toBe(200);
    const parts = [text("chatId", groupId), file("what was uploaded")];
    expect((await sendForm(founder, "POST", "/chat/send-file", parts)).status).toBe(201);
    expect((await a.put("/profile/patchProfile", { about: "from the old release" })).status).toBe(200);
    expect((await founder.put(`/request/blocks/${other.id}`)).status).toBe(200);
    const position = (await line.callOrThrow("sync", { since: {} })).seq[chatId] as number;
    const before = await views(everyone, [chatId, groupId]);

    old.signal("SIGKILL");
    await old.exited;
    const now = await startEmbedded({ dataDir, port });
    cleanUps.push(() => now.stop());
    expect(await views(everyone, [chatId, groupId])).toMatchObject(before);
    const again = await b.connectAndSubscribe();
    const { seq, reset, messages } = await again.callOrThrow("sync", { since: { [chatId]: position } });
    expect({ seq: seq[chatId], reset, messages: messages[chatId] ?? [] }).toEqual({ seq: position, reset: [], messages: [] });

    const next = await a.connectAndSubscribe();
    const repeated = await next.callOrThrow("sendMessage", { chatId, text: "message 30", clientId: "c30" });
    expect(repeated.n).toBe(30);
    expect((await next.callOrThrow("sendMessage", { chatId, text: "from the new release", clientId: "c31" })).n).toBe(31);
    await again.waitFor("receiveMessage", ({ n }) => n === 31);
    made.disconnectAll();

    await now.stop();
    const store = await openStoreAt(["sqlite", dataDir, ""]);
    cleanUps.push(() => store.close());
    const declared = await allServiceData();
    expect(declared.length).toBeGreaterThanOrEqual(5);
    for (const { service, schema } of declared) {
      const version = { service, version: schema };
      const db = await store.open(service, [schemas]);
      expect({ service, version: (await db.get(schemas, "schema"))?.version }).toEqual(version);
      expect({ service, ...(await schemaOf(db)) }).toMatchObject({ ...version, oldest: 1 });
    }
  });
});

/** Returns what each of these people gets over HTTP with their existing session. */
async function views(everyone: readonly Person[], chatIds: readonly string[]): Promise<unknown[]> {
  const paths = [
    "/auth/me",
    "/profile/getProfile",
    "/request/connections",
    "/request/blocks",
    "/request/invites/sent",
    "/chat/my-chats",
    ...chatIds.flatMap((chatId) => [`/chat/members/${chatId}`, `/chat/messages/${chatId}?limit=200`]),
  ];
  const seen = everyone.flatMap((person) => paths.map(async (path) => ({ path, ...(await answered(person, path)) })));
  const all = await Promise.all(seen);
  const urls = all.flatMap(({ body }) => JSON.stringify(body).match(/\/chat\/files\/[0-9a-f]{24}/g) ?? []);
  const bytes = [...new Set(urls)].map((url) => answered(everyone[0]!, url));
  return [...all, ...(await Promise.all(bytes))];
}

async function answered(person: Person, path: string): Promise<{ status: number; body: unknown }> {
  const { status, body } = await person.get(path);
  return { status, body: status === 200 ? body : body.code };
}
