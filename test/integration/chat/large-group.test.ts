/** A group of as many members as a group may have: all are added one by one, and all hear one message. */
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { seededPeople } from "../../support/people/seeded-people.ts";
import { freePort, startEmbedded, temporaryFolder } from "../../support/servers/server.ts";

const size = 1000;
/** Of them, who listens while the others come. */
const early = 40;
const atOnce = 20;

/** Does something for each, so many at a time. */
async function forEach<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += atOnce) results.push(...(await Promise.all(all.slice(i, i + atOnce).map(act))));
  return results;
}
const listen = (someone: Person): Promise<TestSocket> => someone.connectAndSubscribe();

test(`a group of ${size}: every member is added, and receives a message once`, async () => {
  const [dataDir, port, secret] = [await temporaryFolder(), await freePort(), randomBytes(32).toString("hex")];
  const [stranger, ...members] = await seededPeople(dataDir, secret, `http://127.0.0.1:${port}`, size + 1);
  const [admin, second, third] = members as [Person, Person, Person];
  const server = await startEmbedded({ dataDir, port, env: { CONTACTS: "open", JWT_SECRET: secret } });
  try {
    const created = await admin.post("/chat/create-group", { name: "Everyone", participants: [second.id, third.id] });
    const chatId: string = created.body._id;
    const lines = await forEach(members.slice(0, early), listen);

    const add = ({ id }: Person) => admin.put("/chat/add-to-group", { chatId, userIdToAdd: id });
    for (const { status } of await forEach(members.slice(3), add)) expect(status).toBe(200);
    expect(await add(stranger!)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect((await admin.get(`/chat/members/${chatId}?limit=1`)).body.count).toBe(size);
    expect(lines.at(-1)!.payloadsOf("receiveMessage")[0]).toMatchObject({ system: { event: "added" } });

    lines.push(...(await forEach(members.slice(early), listen)));
    const sent = (await admin.post("/chat/messages", { chatId, text: "Hello, everyone" })).body;
    const receivedBy = (line: TestSocket) => line.payloadsOf("receiveMessage").filter(({ _id }) => _id === sent._id).length;
    await eventually("all have received it", () => lines.every((line) => receivedBy(line) > 0), 120_000);
    expect(lines.filter((line) => receivedBy(line) !== 1)).toEqual([]);
  } finally {
    for (const member of members) member.disconnectAll();
    await server.stop();
  }
}, 300_000);
