/** Tests request's directory of e-mail addresses, on every store and in a running service. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import type { Database } from "../../../core/store/store.ts";
import authService from "../../../services/auth/auth.service.ts";
import { auth, authEvents } from "../../../services/auth/contract.ts";
import profileService from "../../../services/profile/profile.service.ts";
import { recordPerson, people } from "../../../services/request/email-directory.ts";
import requestService from "../../../services/request/request.service.ts";
import { eventually } from "../../support/eventually.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import { signUpUser, startServices, type InProcessServices } from "../../support/systems/services.ts";
import type { TestStore } from "../../support/store/stores.ts";

describeStores("The directory", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("request", [people]);
  });
  afterAll(() => opened.remove());

  test("stores every field of a person's newest event", async () => {
    const _id = newId();
    // `label` stands for a field that a later release adds.
    const event = (rev: number) => ({ _id, emailId: `${rev}@example.org`, rev, label: `of ${rev}` });
    await recordPerson(db, event(1));
    expect(await db.get(people, _id)).toEqual(event(1));
    await recordPerson(db, event(3));
    expect(await db.get(people, _id)).toEqual(event(3));
    await recordPerson(db, event(2));
    expect(await db.get(people, _id)).toEqual(event(3));
  });
});

describe("The directory in a running service", () => {
  let services: InProcessServices;
  beforeAll(async () => {
    services = await startServices(authService, profileService, requestService);
  });
  afterAll(() => services.stop());

  const publish = (ref: { topic: string }, userId: string, rev: number, payload: object) =>
    portsOf(services.broker).queue.publish({ id: newId(), topic: ref.topic, key: userId, rev, payload });

  test("keeps the newest event's state in any order of arrival, and a deleted user stays deleted", async () => {
    const ada = await signUpUser(services.broker);
    const [account] = await call(services.broker, auth.accounts, { userIds: [ada.userId] });
    const known = () => services.db("request").get(people, ada.userId);
    await publish(authEvents["user.changed"], ada.userId, 3, { ...account, emailId: "new@example.org" });
    await eventually("the newer is kept", async () => (await known())?.rev === 3);
    await publish(authEvents["user.changed"], ada.userId, 2, { ...account, emailId: "old@example.org" });
    await publish(authEvents["user.deleted"], ada.userId, 4, { userId: ada.userId });
    await eventually("the deleted is forgotten", async () => (await known())?.rev === 4);
    await publish(authEvents["user.created"], ada.userId, 1, account!);
    const marker = { ...account!, userId: newId() };
    await publish(authEvents["user.created"], marker.userId, 1, marker);
    await eventually("the late event is through", () => services.db("request").get(people, marker.userId));
    expect(await known()).toMatchObject({ emailId: null, rev: 4 });
  });
});
