/** Calls between nodes: authentication of cached answers, cache freshness, a caller that was stalled, and the circuit breaker. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { profile } from "../../../services/profile/contract.ts";
import { request } from "../../../services/request/contract.ts";
import { eventually, within } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { joinMesh } from "../../support/mesh/operator-broker.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";

describeMesh("Calls in a mesh", () => {
  let mesh: TestMesh;
  let made: Factory;
  let operator: ServiceBroker;

  beforeAll(async () => {
    mesh = await startMesh();
    made = factory(() => mesh.gateways);
    operator = await joinMesh(mesh, ["profile", "request"]);
  });
  afterAll(async () => {
    made.disconnectAll();
    await operator.stop();
    await mesh.stop();
  });

  test("a cached answer is refused to a call without a user", async () => {
    const { id, url } = await made.person();
    const meta = { user: { id, sessionId: "of an operator" } };
    await call(operator, profile.mine, {}, { meta });
    await eventually("the cache answers", async () => (await call(operator, profile.mine, {}, { meta })).source === "cache");
    await call(operator, request.sent, {}, { meta });
    await eventually("the cache answers", async () => (await call(operator, request.sent, {}, { meta })).source === "cache");
    await expect(call(operator, profile.mine, {})).rejects.toMatchObject({ type: "UNAUTHENTICATED", code: 401 });
    await expect(call(operator, request.sent, {})).rejects.toMatchObject({ type: "UNAUTHENTICATED", code: 401 });
    for (const path of ["/profile/getProfile", "/request/invites/sent"]) expect((await fetch(url + path)).status).toBe(401);
  });

  test("a read raced against a write a thousand times is never older than the answered write", async () => {
    const writer = await made.person();
    const reader = writer.at(mesh.gateways[1]);
    const began = performance.now();
    let [rounds, stale] = [0, 0];
    // At most a minute, on a slow machine.
    for (let i = 1; i <= 1000 && performance.now() - began < 60_000; i++) {
      const racing = reader.get("/profile/getProfile");
      await writer.put("/profile/patchProfile", { age: i % 150 });
      const seen = (await reader.get("/profile/getProfile")).body.data.age;
      if (seen !== i % 150) stale++;
      await racing;
      rounds++;
    }
    process.stderr.write(`${rounds} reads raced against writes: ${stale} stale\n`);
    expect(stale).toBe(0);
    expect(rounds).toBeGreaterThanOrEqual(100);
  });

  test("a node that was stalled gets the answers that arrived meanwhile, and does not consider other nodes dead", async () => {
    const { id } = await made.person();
    const gone: string[] = [];
    const note = ({ node }: { node: { id: string } }) => void gone.push(node.id);
    operator.localBus.on("$node.disconnected", note);
    const pending = call(operator, profile.summaries, { userIds: [id] }, { timeout: 2000, retries: 0 });
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate); // The request is sent.
    // Block this process for longer than other nodes may be silent, and for twice the interval of the check for silent nodes.
    for (const until = performance.now() + 9000; performance.now() < until;);
    expect(await pending).toHaveLength(1);
    await sleep(200);
    expect(gone).toEqual([]);
    operator.localBus.off("$node.disconnected", note);
  });

  test("a circuit breaker opens when a node does not answer, and closes when it answers again", async () => {
    const { id } = await made.person();
    const ask = (timeout: number) => call(operator, profile.summaries, { userIds: [id] }, { timeout, retries: 0 });
    const seen: string[] = [];
    for (const state of ["opened", "half-opened", "closed"]) operator.localBus.on(`$circuit-breaker.${state}`, () => seen.push(state));
    expect(await ask(5000)).toHaveLength(1);
    mesh.freeze("profile");
    try {
      await Promise.allSettled(Array.from({ length: 30 }, () => ask(500)));
      expect(seen).toEqual(["opened"]);
      await within(100, "the call is refused", expect(ask(5000)).rejects.toThrow());
    } finally {
      mesh.thaw("profile");
    }
    // On a busy machine the first call after the freeze may fail too, and open the breaker once more.
    await eventually("the breaker closes", async () => (await ask(5000)).length === 1 && seen.at(-1) === "closed");
    expect(seen.slice(0, 2)).toEqual(["opened", "half-opened"]);
  });
});
