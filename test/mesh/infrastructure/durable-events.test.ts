/** Durable events between processes: they survive a killed publisher, and those that cannot be handled become dead letters. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { admin } from "../../../services/admin/contract.ts";
import { authEvents } from "../../../services/auth/contract.ts";
import { relations } from "../../../services/chat/store/collections.ts";
import { eventually } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { joinMesh } from "../../support/mesh/operator-broker.ts";
import { startMesh, usualNodes, type TestMesh } from "../../support/mesh/mesh.ts";
import { meshQueue, meshRows } from "../../support/mesh/ports.ts";

describeMesh("Durable events in a mesh", () => {
  let mesh: TestMesh;
  let made: Factory;
  let operator: ServiceBroker;

  beforeAll(async () => {
    mesh = await startMesh({ env: { EVENT_RETRY_MS: "50", EVENT_ATTEMPTS: "3" } });
    made = factory(() => mesh.gateways);
    operator = await joinMesh(mesh, ["admin"]);
  });
  afterAll(async () => {
    made.disconnectAll();
    await operator.stop();
    await mesh.stop();
  });

  test("an event whose publisher was killed between commit and publish arrives after its restart", async () => {
    const [a, b] = await made.people(2);
    const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
    await mesh.node("request").stop();
    const doomed = await mesh.start("request", usualNodes.request, { FAULTS: "outbox.publish=kill" });
    const pair = [a.id, b.id].sort().join(":");
    // A rejection, because chat is also called directly about an acceptance, but learns of a rejection only by the event.
    // Gateways answer 503 until they know the new node, a moment after it is ready, so repeat.
    const isKilled = async () => {
      await b.patch(`/request/respond/${_id}`, { status: "rejected" });
      return doomed.hasEnded();
    };
    await eventually("the rejection killed the node", isKilled);
    expect(await doomed.exited).toMatchObject({ signal: "SIGKILL" });
    const arrived = () => meshRows(mesh, "chat", relations, { pair });
    expect(await arrived()).toEqual([]);
    await mesh.start("request", usualNodes.request);
    await eventually("chat has applied the rejection", async () => (await arrived()).length === 1);
    expect(await arrived()).toMatchObject([{ pair, state: "rejected" }]);
  });

  test("an event that always fails becomes a dead letter, delays no other event, and can be replayed", async () => {
    const queue = await meshQueue(mesh);
    const id = newId();
    const poison = { id, topic: authEvents["user.created"].topic, key: "nobody", rev: 1, payload: null };
    await queue.publish(poison);
    const newcomer = await made.person();
    const dead = () => call(operator, admin.deadLetters, { group: "profile" });
    const [letter] = await eventually("the event is a dead letter", async () => {
      const found = (await dead()).filter(({ event }) => event.id === id);
      return found.length > 0 && found;
    });
    expect(letter).toMatchObject({ group: "profile", attempts: 3, event: { id, topic: poison.topic }, reason: expect.stringMatching(/./) });
    expect((await newcomer.get("/profile/getProfile")).body.data.firstName).toBe(newcomer.firstName);
    expect(await call(operator, admin.replay, { group: "profile", eventId: id })).toBe(1);
    await eventually("the replayed event is a dead letter again", async () =>
      (await dead()).some(({ event, diedAt }) => event.id === id && diedAt > letter!.diedAt),
    );
    await queue.close();
  });
});
