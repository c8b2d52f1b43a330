/** Eras: a node notices a new era, and a restore that begins one prepares each service's data for it. */
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

/** Blocks this process, as SIGSTOP would. */
const blockProcess = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

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

  test("is in the first era until another one begins, and then notifies its listeners", async () => {
    const node = await open({ ...installationTiming, refreshMs: 20 });
    const eras: string[] = [];
    node.onNewEra((era) => eras.push(era));
    expect(node.era()).toBe("first");
    await updateFacts(facts, { era: "second" });
    await eventually("the node is in the second era", () => node.era() === "second");
    expect(eras).toEqual(["second"]);
  });

  test("may not remove blobs while a backup holds them, and may again when the hold has expired", async () => {
    const node = await open(installationTiming);
    expect(await node.areBlobsHeld()).toBe(false);
    const now = await opened.store.time();
    await facts.commit([insert(holds, { _id: newId(), until: now - 1 }), insert(holds, { _id: newId(), until: now + 60_000 })]);
    expect(await node.areBlobsHeld()).toBe(true);
    const [running] = await facts.page(holds, { index: "byEnd", order: "desc", limit: 1 });
    await facts.commit([update(holds, { _id: running!._id }, { until: now })]);
    expect(await node.areBlobsHeld()).toBe(false);
  });

  test("that was paused reports no era until it has read the facts again", async () => {
    const node = await open({ refreshMs: 1_000_000, tickMs: 10, standstillMs: 300 });
    await updateFacts(facts, { era: "second" });
    blockProcess(400);
    expect(() => node.era()).toThrow("Temporarily unavailable");
    expect(node.isEraKnown()).toBe(false);
    await eventually("it has read the facts", () => node.isEraKnown());
    expect(node.era()).toBe("second");
  });

  test.each([
    ["only partly restored", { restoringSince: 1_700_000_000_000 }, /a restore that began at 2023-11-14T22:13:20.000Z has not ended/],
    ["moved elsewhere", { movedAt: 1_700_000_000_000 }, /was moved elsewhere at 2023-11-14T22:13:20.000Z/],
  ])("does not start, and stops if it runs, when the installation was %s", async (_what, mark, line) => {
    const node = await open({ ...installationTiming, refreshMs: 20 });
    const reasons: string[] = [];
    node.onStopRequired((reason) => reasons.push(reason));
    await updateFacts(facts, mark);
    await eventually("the node is asked to stop", () => reasons.length > 0);
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

    test("raises each chat's seq above every position that was given out, further each time", async () => {
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

    test("announces every account and relation, and marks kept files to be checked for use again", async () => {
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
        // A pending invite alone needs no announcement, but a follower may have missed the end of the contact before it.
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

describe("The check of restored chats against their messages", () => {
  const head = chatRow(3);
  const messageRow = (n: number, seq: number) => ({ _id: newId(), chatId: head._id, n, seq });
  const problem = (rows: readonly (readonly [string, object])[]): string | undefined => {
    const verifier = serviceDataOf(chat)!.restoring!.verify!();
    for (const [collection, row] of rows) verifier.check(collection, row as ChatRow);
    return verifier.problem();
  };
  const message = (n: number, seq: number) => [messages.name, messageRow(n, seq)] as const;

  test.each([
    ["a complete run of messages passes", [message(2, 6), message(1, 2), message(3, 4)], undefined],
    [
      "a head below the last message is refused",
      [message(1, 2), message(2, 3), message(3, 4), message(4, 5)],
      /is at message 3 \(seq 6\), and its 4 messages end at 4/,
    ],
    ["a head above the last message is refused", [message(1, 2), message(2, 3)], /its 2 messages end at 2/],
    ["a missing message is refused", [message(1, 2), message(3, 4)], /its 2 messages end at 3/],
    ["a seq above the head's is refused", [message(1, 2), message(2, 3), message(3, 7)], /\(seq 7\)/],
  ])("%s", (_what, rows, expected) => {
    const found = problem([[chats.name, head], ...rows]);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });

  test("messages without their chat are refused, but not those of a group that has ended and is being purged", () => {
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
