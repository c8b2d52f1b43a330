/** Tests contacts and blocks: what is stored and announced, with and without chat, with CONTACTS=open, and across a crash. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { insert, type Operation } from "../../../core/store/store.ts";
import authService from "../../../services/auth/auth.service.ts";
import chatService from "../../../services/chat/chat.service.ts";
import { relations } from "../../../services/chat/store/collections.ts";
import profileService from "../../../services/profile/profile.service.ts";
import { pairKey, request } from "../../../services/request/contract.ts";
import requestService from "../../../services/request/request.service.ts";
import { blocks, requests, type RequestRow } from "../../../services/request/requests.repository.ts";
import {
  asUser,
  signUpUser,
  startServices,
  countOutcomes,
  type InProcessServices,
  type SignedUpUser,
} from "../../support/systems/services.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { eventsOnTheirWay } from "../../support/store/events-on-their-way.ts";
import { startEmbedded, temporaryFolder, type EmbeddedServer } from "../../support/servers/server.ts";

const refused = (code: string) => expect.objectContaining({ type: code });
type RelationCall = typeof request.end | typeof request.block | typeof request.unblock;

/** What these tests do in a system of their own. */
function peopleOf(services: () => InProcessServices) {
  const act =
    (action: RelationCall) =>
    (who: SignedUpUser, { userId }: Pick<SignedUpUser, "userId">) =>
      call(services().broker, action, { userId }, asUser(who));
  return {
    pairOfPeople: async (): Promise<[SignedUpUser, SignedUpUser]> => [
      await signUpUser(services().broker, "Ada"),
      await signUpUser(services().broker, "Ben"),
    ],
    befriend: async (a: SignedUpUser, b: SignedUpUser) => {
      const { _id } = await call(services().broker, request.invite, { toEmail: b.emailId }, asUser(a));
      await call(services().broker, request.respond, { requestId: _id, status: "accepted" }, asUser(b));
    },
    end: act(request.end),
    block: act(request.block),
    unblock: act(request.unblock),
    relation: async (a: SignedUpUser, b: SignedUpUser) => {
      const [found] = await call(services().broker, request.relations, { userId: a.userId, otherIds: [b.userId] });
      return found!;
    },
    /** The same in chat's own copy. */
    known: async (a: SignedUpUser, b: SignedUpUser) => {
      const [row] = await services()
        .db("chat")
        .page(relations, { index: "byPair", where: { pair: pairKey(a.userId, b.userId) }, limit: 1 });
      return row;
    },
  };
}

describe("with chat", () => {
  let services: InProcessServices;
  const { pairOfPeople, befriend, end, block, unblock, relation, known } = peopleOf(() => services);
  beforeAll(async () => {
    services = await startServices(authService, profileService, requestService, chatService);
  });
  afterAll(() => services.stop());

  test("every action is refused without a user", async () => {
    const userId = newId();
    for (const ref of [request.end, request.block, request.unblock]) {
      await expect(call(services.broker, ref, { userId })).rejects.toEqual(refused("UNAUTHENTICATED"));
    }
    for (const ref of [request.connections, request.blocks]) {
      await expect(call(services.broker, ref, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
    }
  });

  test("chat has each change when it is answered, at the same rev", async () => {
    const [ada, ben] = await pairOfPeople();
    await befriend(ada, ben);
    expect(await known(ada, ben)).toMatchObject({ state: "accepted", rev: 2 });
    await end(ben, ada);
    expect(await known(ada, ben)).toMatchObject({ state: "ended", rev: 3 });
    await block(ada, ben);
    expect(await known(ada, ben)).toMatchObject({ state: "blocked", rev: 4 });
    await block(ben, ada);
    await unblock(ada, ben);
    expect(await known(ada, ben)).toMatchObject({ state: "blocked", rev: 6 });
    await unblock(ben, ada);
    expect(await known(ada, ben)).toMatchObject({ state: "none", rev: 7 });
    expect(await relation(ada, ben)).toMatchObject({ state: "none", rev: 7 });
  });

  test("a repeat does not raise the rev, even ten concurrent ones", async () => {
    const [ada, ben] = await pairOfPeople();
    await befriend(ada, ben);
    expect(await countOutcomes(Array.from({ length: 10 }, (_, i) => end(i % 2 === 0 ? ada : ben, i % 2 === 0 ? ben : ada)))).toEqual({
      ok: 10,
    });
    expect(await relation(ada, ben)).toMatchObject({ state: "ended", rev: 3 });
    expect(await countOutcomes(Array.from({ length: 10 }, () => block(ada, ben)))).toEqual({ ok: 10 });
    expect(await relation(ada, ben)).toMatchObject({ state: "blocked", rev: 4 });
    expect(await countOutcomes(Array.from({ length: 10 }, () => unblock(ada, ben)))).toEqual({ ok: 1, NOT_FOUND: 9 });
    expect(await services.db("request").page(blocks, { index: "byBlocker", where: { blockerId: ada.userId }, limit: 10 })).toEqual([]);
  });

  test("all pending invites are found, however many were answered since", async () => {
    const ada = await signUpUser(services.broker);
    const answered = 3000;
    const row = (i: number, state: RequestRow["state"], [fromUserId, toUserId]: readonly [string, string]): RequestRow => {
      const fields = { state, fromUserId, toUserId, rev: 1, message: "", blockedBy: [], wereContacts: false };
      return { _id: newId(), pair: pairKey(fromUserId, toUserId), ...fields, createdAt: i, updatedAt: i };
    };
    const rows = (["pending", "rejected"] as const).flatMap((state) =>
      Array.from({ length: state === "pending" ? 10 : answered }, (_, i): Operation[] => [
        insert(requests, row(i + (state === "pending" ? 0 : 10), state, [ada.userId, newId()])),
        insert(requests, row(i + (state === "pending" ? 0 : 10), state, [newId(), ada.userId])),
      ]),
    );
    for (let i = 0; i < rows.length; i += 500) await services.db("request").commit(rows.slice(i, i + 500).flat());
    for (const list of [request.sent, request.received]) {
      const { requests: pending } = await call(services.broker, list, { status: "pending" }, asUser(ada));
      expect(pending.map(({ createdAt }) => Date.parse(createdAt))).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
      const { requests: all } = await call(services.broker, list, {}, asUser(ada));
      expect(all).toHaveLength(1010);
      expect(Date.parse(all[0]!.createdAt)).toBe(answered + 9);
      expect(all.slice(-10).map(({ _id }) => _id)).toEqual(pending.map(({ _id }) => _id));
    }
  });

  test("someone whose account was deleted is still listed, and the contact can be ended", async () => {
    const [ada] = await pairOfPeople();
    const goneId = newId();
    const pair = pairKey(ada.userId, goneId);
    const fields = { state: "accepted", fromUserId: goneId, toUserId: ada.userId, rev: 2, message: "", blockedBy: [] } as const;
    await services
      .db("request")
      .commit([insert(requests, { _id: newId(), pair, ...fields, wereContacts: false, createdAt: 1, updatedAt: 2 })]);
    const { people } = await call(services.broker, request.connections, {}, asUser(ada));
    const since = new Date(2).toISOString();
    expect(people).toEqual([{ userId: goneId, firstName: "Deleted", lastName: "user", profilePic: null, since }]);
    await end(ada, { userId: goneId });
    expect((await call(services.broker, request.connections, {}, asUser(ada))).people).toEqual([]);
  });
});

describe("while chat is away", () => {
  let services: InProcessServices;
  const { pairOfPeople, befriend, end, block, unblock, relation, known } = peopleOf(() => services);
  beforeAll(async () => {
    services = await startServices(authService, profileService, requestService);
  });
  afterAll(() => services.stop());

  test("accepting and unblocking work; ending and blocking are saved, answer Unavailable, and apply when chat is back", async () => {
    const [ada, ben] = await pairOfPeople();
    const [carl, dora] = await pairOfPeople();
    for (const [a, b] of [
      [ada, ben],
      [carl, dora],
    ] as const) {
      await befriend(a, b);
    }

    for (const who of [ada, ada, ben]) {
      await expect(end(who, who === ada ? ben : ada)).rejects.toEqual(refused("UNAVAILABLE"));
      expect(await relation(ada, ben)).toMatchObject({ state: "ended", rev: 3 });
    }
    for (let i = 0; i < 2; i++) {
      await expect(block(carl, dora)).rejects.toEqual(refused("UNAVAILABLE"));
      expect(await relation(carl, dora)).toMatchObject({ state: "blocked", rev: 3 });
    }
    const [eva, finn] = await pairOfPeople();
    await expect(block(eva, finn)).rejects.toEqual(refused("UNAVAILABLE"));
    expect(await unblock(eva, finn)).toBeNull();
    expect((await call(services.broker, request.connections, {}, asUser(ada))).people).toEqual([]);
    expect((await call(services.broker, request.blocks, {}, asUser(carl))).people).toMatchObject([{ userId: dora.userId }]);

    services.broker.createService(chatService);
    await services.broker.waitForServices("chat");
    await eventually("chat knows of the end", async () => (await known(ada, ben))?.state === "ended");
    await eventually("chat knows of the block", async () => (await known(carl, dora))?.state === "blocked");
    await eventually("chat knows of the lifted block", async () => (await known(eva, finn))?.state === "none");
    expect(await end(ben, ada)).toBeNull();
    expect(await block(carl, dora)).toBeNull();
    expect(await known(ada, ben)).toMatchObject({ state: "ended", rev: 3 });
    expect(await known(carl, dora)).toMatchObject({ state: "blocked", rev: 3 });
  });
});

/** With `CONTACTS=open` anyone may write to anyone: an ended contact changes nothing for chats, and a block still ends them. */
describe("with CONTACTS=open", () => {
  let server: EmbeddedServer;
  const made = factory(() => [server.url]);
  beforeAll(async () => {
    server = await startEmbedded({ env: { CONTACTS: "open" } });
  });
  afterAll(async () => {
    made.disconnectAll();
    await server.stop();
  });

  const openChat = (who: Person, other: Person) => who.post("/chat/create-direct", { receiverId: other.id });
  const send = (who: Person, chatId: string) => who.post("/chat/messages", { chatId, text: "Hello" });

  test("an ended contact may still write", async () => {
    const { a, b, chatId } = await made.pair();
    expect((await a.delete(`/request/connections/${b.id}`)).status).toBe(200);
    for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(201);
  });

  test("a block refuses messages until it is lifted", async () => {
    const [a, b] = await made.people(2);
    const chatId: string = (await openChat(a, b)).body._id;
    expect((await a.put(`/request/blocks/${b.id}`)).status).toBe(200);
    for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(403);
    expect((await a.delete(`/request/blocks/${b.id}`)).status).toBe(200);
    for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(201);
  });

  test("a block refuses a chat and a group to both users", async () => {
    const [a, b, c] = await made.people(3);
    await a.put(`/request/blocks/${b.id}`);
    for (const [who, other] of [
      [a, b],
      [b, a],
    ] as const) {
      expect((await openChat(who, other)).status).toBe(403);
      expect((await who.post("/chat/create-group", { name: "Three", participants: [other.id, c.id] })).status).toBe(403);
    }
    expect((await openChat(b, c)).status).toBe(201);
  });
});

describe("when a process is killed between a commit and the publishing of its event", () => {
  function readFrom<T>(dataDir: string, read: (database: DatabaseSync) => T): T {
    const database = new DatabaseSync(join(dataDir, "parley.db"), { readOnly: true });
    try {
      return read(database);
    } finally {
      database.close();
    }
  }
  /** What chat knows of how people stand to each other. */
  const relationsIn = (dataDir: string): string[] =>
    readFrom(dataDir, (database) => database.prepare("SELECT doc ->> '$.state' AS state FROM chat_relations").all()).map(({ state }) =>
      String(state),
    );

  test("a rejection whose event was not published yet reaches chat after the restart", async () => {
    const dataDir = await temporaryFolder();
    const first = await startEmbedded({ dataDir });
    const made = factory(() => [first.url]);
    const [a, b] = await made.people(2);
    const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
    await eventually("all events so far are handled", () => readFrom(dataDir, eventsOnTheirWay) === 0, 60_000);
    await first.stop();

    // An acceptance is also a direct call to chat; a rejection is only an event.
    const doomed = await startEmbedded({ dataDir, env: { FAULTS: "outbox.publish=kill" } });
    await b
      .at(doomed.url)
      .patch(`/request/respond/${_id}`, { status: "rejected" })
      .catch(() => undefined);
    expect(await doomed.exited).toEqual({ code: null, signal: "SIGKILL" });
    expect(relationsIn(dataDir)).toEqual([]);

    const third = await startEmbedded({ dataDir });
    // The dead relay's lease lasts 10 s, and the next look for what others left may be 5 s later.
    await eventually("chat knows of the rejection", () => relationsIn(dataDir).length > 0, 60_000);
    expect(relationsIn(dataDir)).toEqual(["rejected"]);
    expect((await b.at(third.url).get("/request/invites/received")).body.data).toMatchObject([{ _id, status: "rejected" }]);
    await third.stop();
    await rm(dataDir, { recursive: true });
  });
});
