/** Runs random actions of five clients over breaking lines and a killed server, and compares each view with the store field by field. */
import { rm } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { ParleyError, type Parley } from "../../../client/index.ts";
import { openDevice } from "../../support/client/devices.ts";
import { randomChange } from "../../support/client/message-changes.ts";
import { viewDifferences } from "../../support/client/random-day.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { seeded } from "../../support/random.ts";
import { freePort, startEmbedded, temporaryFolder } from "../../support/servers/server.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const acts = 1200;
const seed = Date.now() % 1_000_000;

interface User {
  readonly person: Person;
  readonly client: Parley;
  readonly proxy: TcpProxy;
}

test(`seed ${seed}: after ${acts} random acts every view equals the store`, async () => {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const [dataDir, port] = [await temporaryFolder(), await freePort()];
  let server = await startEmbedded({ dataDir, port });
  const { members, chatId } = await factory(() => [server.url]).group(5);
  const users: User[] = [];
  for (const person of members) {
    const proxy = await openTcpProxy(server.url);
    users.push({ person, proxy, client: await openDevice(person, { url: proxy.url.replace(/\/$/, "") }) });
  }
  const [founder] = users as [User, ...User[]];
  const others = users.slice(1);
  const running: Promise<unknown>[] = [];
  const refused = new Map<string, number>();
  /** Accepts any refusal that a race explains, and a lost connection. */
  const attempt = (act: Promise<unknown>) =>
    running.push(
      act.catch((error: unknown) => {
        const what = error instanceof ParleyError && error.code !== "INTERNAL" ? error.code : `unexpected: ${String(error)}`;
        refused.set(what, (refused.get(what) ?? 0) + 1);
      }),
    );

  const stored = (client: Parley) =>
    client.messages(chatId).filter(({ n, kind, deletedAt }) => n > 0 && kind === "text" && deletedAt === null);
  const act = (times: number, doing: (user: User, step: number) => unknown) => Array<typeof doing>(times).fill(doing);
  const doings = [
    ...act(12, ({ client }, step) => client.send(chatId, `${step} by ${client.me.emailId}`)),
    ...act(12, ({ client }) => {
      const change = randomChange(client, stored(client), random);
      if (change !== undefined) attempt(change.make());
    }),
    ...act(2, ({ client }) => client.markRead(chatId, below((client.chat(chatId)?.lastN ?? 0) + 1))),
    ...act(1, ({ client }) => client.loadOlder(chatId, 10).catch(() => undefined)),
    ...act(1, ({ client }) => attempt(client.groups.set(chatId, { pinned: random() < 0.5, archived: random() < 0.5 }))),
    ...act(1, () => below(3) === 0 && attempt(founder.client.groups.rename(chatId, `Name ${below(100)}`))),
    ...act(1, () => below(4) === 0 && attempt(founder.client.groups.remove(chatId, pick(others)!.client.me._id))),
    ...act(1, () => below(8) === 0 && attempt(pick(others)!.client.groups.leave(chatId))),
    ...act(2, () => attempt(founder.client.groups.add(chatId, pick(others)!.client.me._id))),
    ...act(1, ({ proxy }) => below(4) === 0 && proxy.cut().then(() => proxy.mend())),
  ];

  for (let step = 0; step < acts; step++) {
    await pick(doings)!(pick(users)!, step);
    if (step % 5 === 0) await new Promise((resolve) => setTimeout(resolve, below(20)));
    if (step === Math.floor(acts / 2)) {
      server.signal("SIGKILL");
      await server.exited;
      server = await startEmbedded({ dataDir, port });
    }
  }
  await Promise.all(running);
  await Promise.all(users.map(({ client }) => client.online()));
  // Add everyone again, so that each client has a view to compare.
  const isIn = ({ client }: User) =>
    founder.client.groups.add(chatId, client.me._id).then(
      () => true,
      (error: unknown) => (error as Partial<ParleyError>).code === "VALIDATION", // already a member
    );
  for (const user of others) await eventually("everyone is in again", () => isIn(user), 60_000);
  await Promise.all(users.map(({ client }) => client.allSent()));

  const differences = () =>
    Promise.all(
      users.map(({ client: parley, person }) =>
        viewDifferences({ parley, userId: person.id }, async (path) => (await person.get(path)).body),
      ),
    );
  const counts = await eventually(
    "all views are the store's",
    async () => (await differences()).every((found) => found.length === 0),
    30_000,
  )
    .then(() => [])
    .catch(differences);
  const { lastN, lastSeq } = founder.client.chat(chatId)!;
  process.stderr.write(`seed ${seed}: ${lastN} messages, ${lastSeq} changes, refused ${JSON.stringify([...refused])}\n`);
  expect(counts).toEqual([]);
  expect([...refused.keys()].filter((what) => what.startsWith("unexpected"))).toEqual([]);
  for (const { client, proxy } of users) {
    await client.close();
    await proxy.close();
  }
  await server.stop();
  await rm(dataDir, { recursive: true });
});
