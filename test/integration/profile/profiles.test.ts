import { setImmediate as immediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { call } from "../../../core/contract/call.ts";
import type { EventRef } from "../../../core/contract/contract.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { insert, type Database } from "../../../core/store/store.ts";
import { outbox } from "../../../mixins/outbox.ts";
import authService from "../../../services/auth/auth.service.ts";
import { auth, authEvents } from "../../../services/auth/contract.ts";
import type { AdmittedFile } from "../../../services/media/contract.ts";
import { profile } from "../../../services/profile/contract.ts";
import profileService from "../../../services/profile/profile.service.ts";
import {
  addProfile,
  changeProfile,
  eraseProfile,
  initialProfile,
  picturesInUse,
  profiles,
} from "../../../services/profile/profiles.repository.ts";
import { request } from "../../../services/request/contract.ts";
import requestService from "../../../services/request/request.service.ts";
import { asUser, signUpUser, startServices, type InProcessServices, type SignedUpUser } from "../../support/systems/services.ts";
import { eventually } from "../../support/eventually.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import type { TestStore } from "../../support/store/stores.ts";

let services: InProcessServices;
/** Files that media was called to release. */
const dropped: string[] = [];
beforeAll(async () => {
  services = await startServices(authService, profileService, requestService);
  await portsOf(services.broker).queue.consume("media", ({ payload }) => {
    dropped.push((payload as { fileId: string }).fileId);
    return Promise.resolve();
  });
});
afterAll(() => services.stop());

const refused = (code: string) => expect.objectContaining({ type: code });
const mine = (who: Pick<SignedUpUser, "userId" | "sessionId">) => call(services.broker, profile.mine, {}, asUser(who));
const patch = (who: SignedUpUser, fields: object) => call(services.broker, profile.patch, fields, asUser(who));
const byId = (who: SignedUpUser, userId: string) => call(services.broker, profile.byId, { userId }, asUser(who));
const rowOf = (userId: string) => services.db("profile").get(profiles, userId);
const publish = (ref: EventRef, userId: string, rev: number, payload: object) =>
  portsOf(services.broker).queue.publish({ id: newId(), topic: ref.topic, key: userId, rev, payload });
const accountOf = async ({ userId }: SignedUpUser) => (await call(services.broker, auth.accounts, { userIds: [userId] }))[0]!;

async function befriend(a: SignedUpUser, b: SignedUpUser): Promise<void> {
  const { _id } = await call(services.broker, request.invite, { toEmail: b.emailId }, asUser(a));
  await call(services.broker, request.respond, { requestId: _id, status: "accepted" }, asUser(b));
}

test("summaries are for other services only", () => {
  const { actions } = services.broker.getLocalService("profile").schema as { actions: Record<string, { visibility: string }> };
  expect(actions["summaries"]!.visibility).toBe("public");
});

/** A picture as media admits one. */
const picture = (fields: Partial<AdmittedFile> = {}): AdmittedFile => ({
  fileId: newId(),
  purpose: "profile",
  name: "me.webp",
  mimeType: "image/webp",
  size: 1000,
  width: 512,
  height: 512,
  hasThumb: true,
  expiresAt: Date.now() + 60_000,
  ...fields,
});
const inUse = (...pictures: readonly AdmittedFile[]) =>
  call(services.broker, profile.picturesInUse, { fileIds: pictures.map(({ fileId }) => fileId) });

describe("a picture", () => {
  test("is shown and in use until it is replaced or removed; then it is announced as dropped", async () => {
    const ada = await signUpUser(services.broker);
    const [first, second] = [picture(), picture()];
    expect((await patch(ada, { picture: first })).profilePic).toBe(`/profile/pictures/${first.fileId}`);
    expect(await inUse(first, second)).toEqual([first.fileId]);
    expect((await patch(ada, { picture: second, about: "New" })).profilePic).toBe(`/profile/pictures/${second.fileId}`);
    expect((await mine(ada)).profile.profilePic).toBe(`/profile/pictures/${second.fileId}`);
    await eventually("the first is let go", () => dropped.includes(first.fileId));
    expect(await inUse(first, second)).toEqual([second.fileId]);
    expect((await patch(ada, { picture: null })).profilePic).toBeNull();
    await eventually("the second too", () => dropped.includes(second.fileId));
    expect(await inUse(first, second)).toEqual([]);
  });

  test("stays with a repeat, and with its own URL; another URL is refused", async () => {
    const ada = await signUpUser(services.broker);
    const own = picture();
    await patch(ada, { picture: own });
    const { profilePic } = await patch(ada, { picture: own });
    expect((await patch(ada, { profilePic })).profilePic).toBe(profilePic);
    await expect(patch(ada, { profilePic: `/profile/pictures/${newId()}` })).rejects.toEqual(refused("VALIDATION"));
    await expect(patch(ada, { profilePic: "https://evil.example/a.png", about: "x" })).rejects.toEqual(refused("VALIDATION"));
    expect((await mine(ada)).profile).toMatchObject({ profilePic, about: null });
    expect(dropped).not.toContain(own.fileId);
  });

  test("that was sent for something else, or too long ago, is refused", async () => {
    const ada = await signUpUser(services.broker);
    await expect(patch(ada, { picture: picture({ purpose: "message" }) })).rejects.toEqual(refused("VALIDATION"));
    await expect(patch(ada, { picture: picture({ expiresAt: Date.now() - 1000 }) })).rejects.toEqual(refused("CONFLICT"));
    expect((await mine(ada)).profile.profilePic).toBeNull();
  });

  test("changed by many at once leaves one, and every other one is announced", async () => {
    const ada = await signUpUser(services.broker);
    const all = Array.from({ length: 4 }, () => picture());
    const outcomes = await Promise.allSettled(all.map((one) => patch(ada, { picture: one })));
    const set = all.filter((_, index) => outcomes[index]!.status === "fulfilled").map(({ fileId }) => fileId);
    const [kept] = await inUse(...all);
    expect(set).toContain(kept);
    await eventually("the others are let go", () => set.every((fileId) => fileId === kept || dropped.includes(fileId)));
    expect(dropped).not.toContain(kept);
  });
});

describe("your own profile", () => {
  test("is refused without a user, also when the cache has it", async () => {
    const ada = await signUpUser(services.broker);
    await mine(ada);
    await expect(call(services.broker, profile.mine, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("exists right from sign-up, with the names given there", async () => {
    const ada = await signUpUser(services.broker, "Ada");
    const { profile: own, source } = await mine(ada);
    expect(source).toBe("database");
    expect(own).toEqual({
      _id: ada.userId,
      userId: ada.userId,
      firstName: "Ada",
      lastName: "Example",
      profilePic: null,
      about: null,
      gender: null,
      age: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      updatedAt: expect.any(String),
      __v: 0,
    });
  });

  test("comes from the cache the second time, and from the store after a change", async () => {
    const ada = await signUpUser(services.broker);
    await mine(ada);
    expect((await mine(ada)).source).toBe("cache");
    await patch(ada, { about: "Counts" });
    expect(await mine(ada)).toMatchObject({ source: "database", profile: { about: "Counts" } });
  });

  test("of an unknown user is NotFound", async () => {
    await expect(mine({ userId: newId(), sessionId: newId() })).rejects.toEqual(refused("NOT_FOUND"));
  });

  test("is created by the sign-up's event, even if nobody reads it", async () => {
    const ada = await signUpUser(services.broker);
    expect(await eventually("the event has made it", () => rowOf(ada.userId))).toMatchObject({ firstName: "Ada" });
  });
});

describe("changing your profile", () => {
  test("is refused without a user", async () => {
    await expect(call(services.broker, profile.patch, { about: "x" })).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("changes the given fields, keeps the others, and clears a field with null", async () => {
    const ada = await signUpUser(services.broker);
    await patch(ada, { firstName: " Augusta ", about: "Counts", age: 36, gender: "female" });
    const changed = await patch(ada, { age: null });
    expect(changed).toMatchObject({ firstName: "Augusta", lastName: "Example", about: "Counts", age: null, gender: "female" });
    expect((await mine(ada)).profile).toEqual(changed);
  });

  test("refuses blank names, removed names, an empty change and values out of range", async () => {
    const ada = await signUpUser(services.broker);
    for (const fields of [
      { firstName: "   " },
      { lastName: "" },
      { age: 151 },
      { age: 1.5 },
      { gender: "x" },
      { about: "x".repeat(751) },
    ]) {
      await expect(patch(ada, fields)).rejects.toMatchObject({ code: 422 });
    }
    for (const fields of [{}, { firstName: null }, { lastName: null, about: "x" }]) {
      await expect(patch(ada, fields)).rejects.toEqual(refused("VALIDATION"));
    }
    expect((await mine(ada)).profile).toMatchObject({ firstName: "Ada", about: null });
  });

  test("is not undone by a repeat of the sign-up's event, whichever of the two made the profile", async () => {
    const ada = await signUpUser(services.broker);
    await patch(ada, { firstName: "Augusta" });
    const account = await accountOf(ada);
    await publish(authEvents["user.created"], ada.userId, 1, account);
    // The marker is published last: once it took effect, the events before it were handled too.
    const marker = { ...account, userId: newId() };
    await publish(authEvents["user.created"], marker.userId, 1, marker);
    await eventually("the events are through", () => rowOf(marker.userId));
    expect((await mine(ada)).profile.firstName).toBe("Augusta");
  });

  test("is never lost when it races with the profile's creation", async () => {
    for (let round = 0; round < 20; round++) {
      const ada = await signUpUser(services.broker);
      await Promise.all([patch(ada, { firstName: "Augusta" }), mine(ada), mine(ada)]);
      expect((await mine(ada)).profile.firstName).toBe("Augusta");
    }
  });

  test("is seen by every read that starts after its answer", async () => {
    const ada = await signUpUser(services.broker);
    let answered = 0;
    let stale = 0;
    let reading = true;
    const reader = async () => {
      while (reading) {
        // A cached answer comes without waiting; let the writer have its turn.
        await immediate();
        const least = answered;
        if (((await mine(ada)).profile.age ?? 0) < least) stale++;
      }
    };
    const readers = [reader(), reader(), reader()];
    for (let age = 1; age <= 150; age++) {
      await patch(ada, { age });
      answered = age;
      if ((await mine(ada)).profile.age !== age) stale++;
    }
    reading = false;
    await Promise.all(readers);
    expect(stale).toBe(0);
  });
});

describe("someone's profile", () => {
  test("is refused without a user, also when the cache has it", async () => {
    const ada = await signUpUser(services.broker);
    await mine(ada);
    await expect(call(services.broker, profile.byId, { userId: ada.userId })).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("is a summary for strangers and invited users, and complete for contacts and yourself", async () => {
    const [ada, ben] = [await signUpUser(services.broker, "Ada"), await signUpUser(services.broker, "Ben")];
    await patch(ben, { about: "Bakes" });
    const summary = { userId: ben.userId, firstName: "Ben", lastName: "Example", profilePic: null };
    expect((await byId(ada, ben.userId)).profile).toEqual(summary);
    await call(services.broker, request.invite, { toEmail: ben.emailId }, asUser(ada));
    expect((await byId(ada, ben.userId)).profile).toEqual(summary);
    // Ben's invite crosses Ada's: they are contacts.
    await call(services.broker, request.invite, { toEmail: ada.emailId }, asUser(ben));
    expect((await byId(ada, ben.userId)).profile).toMatchObject({ ...summary, about: "Bakes" });
    expect((await byId(ben, ben.userId)).profile).toMatchObject({ about: "Bakes" });
  });

  test("is NotFound when there is no such person", async () => {
    const ada = await signUpUser(services.broker);
    await expect(byId(ada, newId())).rejects.toEqual(refused("NOT_FOUND"));
  });
});

describe("summaries", () => {
  test("are returned for a thousand ids in one call, without unknown ids, and with those that profile gets from auth", async () => {
    const [ada, ben] = [await signUpUser(services.broker, "Ada"), await signUpUser(services.broker, "Ben")];
    await patch(ben, { firstName: "Benno" });
    const nobody = Array.from({ length: 998 }, newId);
    const found = await call(services.broker, profile.summaries, { userIds: [...nobody, ada.userId, ben.userId] });
    expect(found.map(({ firstName }) => firstName).sort()).toEqual(["Ada", "Benno"]);
    expect(found[0]).toEqual({ userId: expect.any(String), firstName: expect.any(String), lastName: "Example", profilePic: null });
  });
});

describe("a deleted account", () => {
  test("loses its profile for good, whatever events arrive late", async () => {
    const [ada, ben] = [await signUpUser(services.broker), await signUpUser(services.broker)];
    await befriend(ada, ben);
    const own = picture();
    await patch(ada, { about: "Counts", picture: own });
    await byId(ben, ada.userId);
    const account = await accountOf(ada);
    await publish(authEvents["user.deleted"], ada.userId, 2, { userId: ada.userId });
    await eventually("the profile is gone", async () => (await rowOf(ada.userId))?.deletedAt != null);
    await eventually("its picture is let go", () => dropped.includes(own.fileId));
    await eventually("nobody sees it", async () => (await byId(ben, ada.userId).catch(() => "gone")) === "gone");

    await publish(authEvents["user.created"], ada.userId, 1, account);
    const marker = { ...account, userId: newId() };
    await publish(authEvents["user.created"], marker.userId, 1, marker);
    await eventually("the late event is through", () => rowOf(marker.userId));
    await expect(mine(ada)).rejects.toEqual(refused("NOT_FOUND"));
    await expect(patch(ada, { about: "back" })).rejects.toEqual(refused("NOT_FOUND"));
    expect(await rowOf(ada.userId)).toMatchObject({ firstName: "", about: null });
    expect(await call(services.broker, profile.summaries, { userIds: [ada.userId] })).toEqual([]);
  });
});

describeStores("Erasing a profile", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("profile", [profiles, outbox]);
  });
  afterAll(() => opened.remove());

  const blank = { firstName: "", lastName: "", about: null, gender: null, age: null, pictureId: null };
  const account = () => ({ userId: newId(), emailId: "ada@example.org", firstName: "Ada", lastName: "Example", createdAt: 5 });

  test("leaves nothing of fields that were added later", async () => {
    const added = { fieldOfALaterRelease: "she/her", links: ["https://ada.example"], pictureId: newId() };
    const row = initialProfile(account());
    await db.commit([insert(profiles, { ...row, ...added, about: "Counts" })]);
    await eraseProfile(db, row._id);
    expect(await db.get(profiles, row._id)).toEqual({
      _id: row._id,
      ...blank,
      createdAt: 5,
      updatedAt: expect.any(Number),
      deletedAt: expect.any(Number),
    });
    expect(await picturesInUse(db, [added.pictureId])).toEqual([]);
  });

  test("also erases concurrent changes, and is harmless when repeated", async () => {
    for (let round = 0; round < 10; round++) {
      const row = initialProfile(account());
      await addProfile(db, row);
      const changes = { fieldOfALaterRelease: "she/her", pictureId: newId() };
      await Promise.all([changeProfile(db, row._id, changes), eraseProfile(db, row._id), eraseProfile(db, row._id)]);
      expect(await db.get(profiles, row._id)).toMatchObject(blank);
      expect(await db.get(profiles, row._id)).not.toHaveProperty("fieldOfALaterRelease");
      expect(await changeProfile(db, row._id, changes)).toBe(false);
    }
  });

  test("leaves a tombstone for an unknown user, so that a late sign-up event adds nothing", async () => {
    const late = account();
    await eraseProfile(db, late.userId);
    await addProfile(db, initialProfile(late));
    expect(await db.get(profiles, late.userId)).toMatchObject({ ...blank, deletedAt: expect.any(Number) });
  });
});
