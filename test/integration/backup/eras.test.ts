/** Eras: how nodes learn of a new one, and what beginning one does to a store. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { serviceDataOf } from "../../../core/backup/service-data.ts";
import { prepareServices } from "../../../core/backup/era.ts";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { pairKey } from "../../../services/request/contract.ts";
import {
  updateFacts,
  holds,
  openInstallation,
  openInstallationDatabase,
  installationTiming,
  type Installation,
} from "../../../core/node/installation.ts";
import { insert, update, type Database } from "../../../core/store/store.ts";
import { outbox } from "../../../mixins/relay.ts";
import { allServiceData } from "../../../scripts/operator/service-data.ts";
import { accounts } from "../../../services/auth/accounts.repository.ts";
import { chats, messages, type ChatRow } from "../../../services/chat/store/collections.ts";
import { isVoid } from "../../../services/chat/policy.ts";
import chat from "../../../services/chat/chat.service.ts";
import { files } from "../../../services/media/files.repository.ts";
import { requests } from "../../../services/request/requests.repository.ts";
import { eventually } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { storeAdapters, silentLogger, sqlite, type TestStore } from "../../support/store/stores.ts";

/** Holds this process up, as SIGSTOP would. */
const standStill = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

describe("A node", () => {
  let opened: TestStore;
  let facts: Database;
  let installation: Installation | undefined;
  const open = async (at: Parameters<typeof openInstallation>[2]) =>
    (installation = await openInstallation(opened.store, silentLogger, at));
  beforeEach(async () => {
    opened = await sqlite.open();
    facts = await openInstallationDatabase(opened.store);
  });
  afterEach(async () => {
    installation?.stop();
    installation = undefined;
    await opened.remove();
  });

  test("is in the first era until another one begins, and says so to who listens", async () => {
    const node = await open({ ...installationTiming, refreshMs: 20 });
    const told: string[] = [];
    node.onNewEra((era) => told.push(era));
    expect(node.era()).toBe("first");
    await updateFacts(facts, { era: "second" });
    await eventually("it knows", () => node.era() === "second");
    expect(told).toEqual(["second"]);
  });

  test("removes no bytes while a backup holds them, and does again when its time is over", async () => {
    const node = await open(installationTiming);
    expect(await node.areBlobsHeld()).toBe(false);
    const now = await opened.store.time();
    await facts.commit([insert(holds, { _id: newId(), until: now - 1 }), insert(holds, { _id: newId(), until: now + 60_000 })]);
    expect(await node.areBlobsHeld()).toBe(true);
    const [running] = await facts.page(holds, { index: "byEnd", order: "desc", limit: 1 });
    await facts.commit([update(holds, { _id: running!._id }, { until: now })]);
    expect(await node.areBlobsHeld()).toBe(false);
  });

  test("that stood still answers nobody before it has asked again", async () => {
    const node = await open({ refreshMs: 1_000_000, tickMs: 10, standstillMs: 300 });
    await updateFacts(facts, { era: "second" });
    standStill(400);
    expect(() => node.era()).toThrow("Temporarily unavailable");
    expect(node.isEraKnown()).toBe(false);
    await eventually("it has asked", () => node.isEraKnown());
    expect(node.era()).toBe("second");
  });

  test.each([
    ["restored in part", { restoringSince: 1_700_000_000_000 }, /a restore that began at 2023-11-14T22:13:20.000Z has not ended/],
    ["moved", { movedAt: 1_700_000_000_000 }, /was moved elsewhere at 2023-11-14T22:13:20.000Z/],
  ])("does not run on an installation that was %s, nor goes on", async (_what, mark, line) => {
    const node = await open({ ...installationTiming, refreshMs: 20 });
    const reasons: string[] = [];
    node.onStopRequired((reason) => reasons.push(reason));
    await updateFacts(facts, mark);
    await eventually("it is told", () => reasons.length > 0);
    expect(reasons[0]).toMatch(line);
    const refused = openInstallation(opened.store, silentLogger);
    await expect(refused).rejects.toThrow(line);
    await expect(refused).rejects.toBeInstanceOf(StartError);
  });
});

for (const adapter of storeAdapters) {
  describeWith(adapter.needs, `A new era on ${adapter.title}`, () => {
    let opened: TestStore;
    beforeEach(async () => {
      opened = await adapter.open();
    });
    afterEach(() => opened.remove());

    test("jumps above every position that was given, each time further", async () => {
      const db = await opened.store.open("chat", [chats]);
      const rows = Array.from({ length: 450 }, (_, index) => chatRow(index + 1));
      for (let from = 0; from < rows.length; from += 150) await db.commit(rows.slice(from, from + 150).map((row) => insert(chats, row)));
      const declared = [serviceDataOf(chat)!];
      const read = async () =>
        new Map(
          (
            await db.getMany(
              chats,
              rows.map(({ _id }) => _id),
            )
          ).map((row) => [row._id, row]),
        );
      await prepareServices({ ...opened, log: silentLogger }, declared, true);
      const once = await read();
      await prepareServices({ ...opened, log: silentLogger }, declared, true);
      const twice = await read();
      for (const { _id, seq, n } of rows) {
        const [first, second] = [once.get(_id)!, twice.get(_id)!];
        expect([first.seq, second.seq]).toEqual([first.resetSeq, second.resetSeq]);
        expect(first.seq).toBeGreaterThan(Math.max(seq, 1.6e15));
        expect(second.seq).toBeGreaterThan(first.seq);
        expect([first.n, second.n]).toEqual([n, n]);
        for (const since of [1, seq, first.seq, first.seq + 5]) expect(isVoid(since, second, { joinedSeq: 1 })).toBe(true);
        expect([0, second.seq].map((since) => isVoid(since, second, { joinedSeq: 1 }))).toEqual([false, false]);
        expect(isVoid(second.seq + 1, second, { joinedSeq: 1 })).toBe(true);
      }
    });

    test("announces every account and relation, and asks again which files are in use", async () => {
      const [auth, request, media] = await Promise.all([
        opened.store.open("auth", [accounts, outbox]),
        opened.store.open("request", [requests, outbox]),
        opened.store.open("media", [files]),
      ]);
      const [one, two, three] = [newId(), newId(), newId()];
      const person = { firstName: "Ada", lastName: "Example", passwordHash: "", passwordRev: 1, rev: 4, createdAt: 1 };
      await auth.commit([one, two].map((_id) => insert(accounts, { _id, emailId: `${_id}@example.org`, ...person })));
      const standing = { fromUserId: one, updatedAt: 1, blockedBy: [], wereContacts: true, message: "", createdAt: 1 };
      await request.commit([
        insert(requests, { _id: newId(), pair: pairKey(one, two), toUserId: two, state: "blocked", rev: 7, ...standing }),
        // Nobody hears of an open invite, but who missed that the contact had ended before it must.
        insert(requests, { _id: newId(), pair: pairKey(one, three), toUserId: three, state: "pending", rev: 3, ...standing }),
      ]);
      const file = { _id: newId(), ownerId: one, purpose: "message", state: "kept", since: 1, expiresAt: 1 } as const;
      await media.commit([insert(files, file)]);
      await prepareServices({ ...opened, log: silentLogger }, await allServiceData(), false);
      const announced = async (db: Database) => db.page(outbox, { index: "byLease", limit: 10 });
      expect((await announced(auth)).map(({ topic, key, rev }) => [topic, key, rev]).sort()).toEqual(
        [one, two].map((key) => ["auth.user.changed", key, 4]).sort(),
      );
      const states = (await announced(request)).map(({ key, rev, payload }) => [key, rev, (payload as { state: string }).state]);
      expect(states.sort()).toEqual(
        [
          [pairKey(one, two), 7, "blocked"],
          [pairKey(one, three), 3, "pending"],
        ].sort(),
      );
      expect(await media.get(files, file._id)).toMatchObject({ state: "ready", since: 1 });
    });
  });
}

describe("A backup whose chats don't fit their messages is refused", () => {
  const head = chatRow(3);
  const said = (n: number, seq: number) => ({ _id: newId(), chatId: head._id, n, seq });
  const problem = (rows: readonly (readonly [string, object])[]): string | undefined => {
    const verifier = serviceDataOf(chat)!.restoring!.verify!();
    for (const [collection, row] of rows) verifier.check(collection, row as ChatRow);
    return verifier.problem();
  };
  const message = (n: number, seq: number) => [messages.name, said(n, seq)] as const;

  test.each([
    ["has them all", [message(2, 6), message(1, 2), message(3, 4)], undefined],
    [
      "lies below them",
      [message(1, 2), message(2, 3), message(3, 4), message(4, 5)],
      /is at message 3 \(seq 6\), and its 4 messages end at 4/,
    ],
    ["lies above them", [message(1, 2), message(2, 3)], /its 2 messages end at 2/],
    ["has a hole", [message(1, 2), message(3, 4)], /its 2 messages end at 3/],
    ["lies below a change of them", [message(1, 2), message(2, 3), message(3, 7)], /\(seq 7\)/],
  ])("where the head %s", (_what, rows, expected) => {
    const found = problem([[chats.name, head], ...rows]);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });

  test("where the chat is missing, but not where a group that has ended is being removed", () => {
    expect(problem([message(1, 2)])).toMatch(/no such chat/);
    expect(problem([[chats.name, { ...head, endedAt: 5 }], message(3, 4)])).toBeUndefined();
  });
});

function chatRow(n: number): ChatRow {
  return {
    _id: newId(),
    kind: "group",
    n,
    seq: n * 2,
    sharedSeq: 1,
    changedAt: 1_700_000_000_000 + (n % 7),
    memberCount: 1,
    adminCount: 1,
    preview: null,
    lastActivityAt: 1,
    createdAt: 1,
  };
}
