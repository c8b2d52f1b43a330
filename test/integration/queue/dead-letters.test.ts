/** What operators do in the REPL with the dead letters of durable events. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import type { DurableEvent } from "../../../core/queue/queue.ts";
import adminService from "../../../services/admin/admin.service.ts";
import { admin } from "../../../services/admin/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { startBroker, thingEvents } from "../../support/ports/outbox-service.ts";

let folder: string;
let broker: ServiceBroker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-admin-"));
  broker = await startBroker(folder, adminService);
});
afterAll(async () => {
  await broker.stop();
  await rm(folder, { recursive: true });
});

test("no route can name its actions", () => {
  const { actions } = broker.getLocalService("admin").schema as { actions: Record<string, { visibility: string }> };
  expect(Object.values(actions).map(({ visibility }) => visibility)).toEqual(["public", "public"]);
});

test("a dead letter is listed, replayed, and gone when its handler then succeeds", async () => {
  const { queue } = portsOf(broker);
  const event: DurableEvent = { id: newId(), topic: thingEvents.changed.topic, key: newId(), rev: 1, payload: {} };
  let works = false;
  const handled: string[] = [];
  await queue.consume("shelf", ({ id }) => (works ? Promise.resolve(void handled.push(id)) : Promise.reject(new Error("on purpose"))));
  await queue.publish(event);
  const listed = () => call(broker, admin.deadLetters, { group: "shelf" });
  const letters = await eventually("it is listed", async () => (await listed()).length > 0 && listed());
  expect(letters).toEqual([{ event, group: "shelf", attempts: 3, reason: "on purpose", diedAt: expect.any(Number) }]);
  works = true;
  expect(await call(broker, admin.replay, { group: "shelf", eventId: newId() })).toBe(0);
  expect(await call(broker, admin.replay, { group: "shelf" })).toBe(1);
  await eventually("it is handled", () => handled.length === 1);
  expect(await listed()).toEqual([]);
});

test("a group that does not exist is 404", async () => {
  const notFound = expect.objectContaining({ type: "NOT_FOUND", code: 404 });
  await expect(call(broker, admin.deadLetters, { group: "nobody" })).rejects.toEqual(notFound);
  await expect(call(broker, admin.replay, { group: "nobody" })).rejects.toEqual(notFound);
});
