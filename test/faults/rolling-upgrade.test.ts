/**
 * Rolling upgrade under load: each node of the old release is replaced by one of this checkout. The new node is started before the old
 * one is stopped, as Kubernetes does it. Meanwhile old and new nodes work together in every pair of roles.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { promises, type ReachableTarget } from "./target/fault.ts";
import { smallSize, startStorm, type RunningStorm } from "./load/storm.ts";
import { assess } from "./verdict.ts";
import { inspectMesh } from "./target/start.ts";
import { openBalancer, type Balancer } from "../support/fault-injection/balancer.ts";
import { eventually } from "../support/eventually.ts";
import { skipReason } from "../support/infrastructure/infra.ts";
import { startMesh, usualNodes, type TestMesh, type MeshNodeName } from "../support/mesh/mesh.ts";
import { checkOut, lackingRelease, oldActions, oldRelease, type Checkout } from "../support/servers/old-release.ts";
import { recordErrors } from "../support/recorded-errors.ts";
import { freePort } from "../support/servers/server.ts";

/** One chat node and one gateway first, so that a gateway of each release works with a chat node of each release. */
const order = ["chatA", "gatewayA", "auth", "request", "profile", "media", "gatewayB", "chatB"] as const satisfies readonly MeshNodeName[];
/** Errors that the storm causes itself, by changing messages that others just deleted. */
const expected = ["CONFLICT", "NOT_FOUND"];
/** Changes that must be acknowledged between two steps. */
const changesBetweenSteps = 20;

const reasons = [skipReason("amqp", "redis", "mongo"), lackingRelease(oldRelease)].filter((reason) => reason !== undefined);
const isDemanded = process.env["REQUIRE_INFRA"] === "1";
const describeUpgrade = reasons.length === 0 || isDemanded ? describe : describe.skip;

describeUpgrade(`A rolling upgrade${reasons.length === 0 ? "" : ` (skipped, it needs ${reasons.join("; ")})`}`, () => {
  let old: Checkout;
  let mesh: TestMesh;
  let balancers: readonly [Balancer, Balancer];
  /** Ports of the new gateways. */
  const ports: number[] = [];
  const cleanUps: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    old = await checkOut(oldRelease);
    cleanUps.push(() => old.remove());
    mesh = await startMesh({ root: old.root, env: { DRAIN_MS: "1000" } });
    cleanUps.push(() => mesh.stop());
    balancers = await Promise.all([openBalancer(mesh.gateways[0]), openBalancer(mesh.gateways[1])]);
    cleanUps.push(() => Promise.all(balancers.map((balancer) => balancer.close())));
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });

  /** Starts a new node, points the balancer at it, and stops the old one. */
  async function replace(role: MeshNodeName): Promise<void> {
    const port = await freePort();
    const side = role === "gatewayA" ? 0 : role === "gatewayB" ? 1 : undefined;
    await mesh.start(`new ${role}`, usualNodes[role], side === undefined ? {} : { PORT: String(port), DRAIN_MS: "5000" });
    if (side !== undefined) {
      ports[side] = port;
      balancers[side].aim(`http://127.0.0.1:${port}`);
    }
    mesh.node(role).signal("SIGTERM");
    // Any exit code is accepted: the old release's heartbeat may fail when its own connection closes.
    expect({ role, signal: (await mesh.node(role).exited).signal }).toEqual({ role, signal: null });
  }

  test("under load returns no error to any client, and loses, duplicates and reorders nothing", async () => {
    const target: ReachableTarget = {
      gateways: [balancers[0].url, balancers[1].url],
      inspect: (read) => inspectMesh(mesh.env, read),
      stop: () => Promise.resolve(),
    };
    const fault = { name: "upgrade", what: "all nodes", promiseMs: promises.processMs };
    const storm: RunningStorm = await startStorm(target, fault, smallSize, oldActions);
    const errors = recordErrors(target.gateways, expected);
    try {
      const from = Date.now();
      for (const role of order) {
        const before = storm.acknowledged();
        await replace(role);
        await eventually("the storm continues", () => storm.acknowledged() >= before + changesBetweenSteps, 60_000);
      }
      const endedAt = await storm.end();
      const seen = [...errors.errors];
      const { lost, duplicated, outOfOrder, viewsDiffer, eventsLost, acknowledged, durableEvents } = await assess(
        target,
        storm,
        { from, cut: [] },
        endedAt,
      );
      process.stderr.write(`rolling upgrade: ${acknowledged} changes and ${durableEvents} durable events, ${seen.length} errors\n`);
      expect({ seen, lost, duplicated, outOfOrder, viewsDiffer, eventsLost }).toEqual({
        seen: [],
        lost: [],
        duplicated: [],
        outOfOrder: [],
        viewsDiffer: [],
        eventsLost: [],
      });
    } finally {
      errors.stop();
      await storm.close();
    }
  }, 900_000);

  test("leaves gateways that, while they drain, answer on a kept-alive connection and then close it", async () => {
    const gateway = mesh.node("new gatewayB");
    const url = `http://127.0.0.1:${ports[1]}`;
    const readiness = async () => {
      const answer = await fetch(`${url}/ready`);
      await answer.body?.cancel();
      return { status: answer.status, connection: answer.headers.get("connection") };
    };
    expect(await readiness()).toEqual({ status: 200, connection: "keep-alive" });
    gateway.signal("SIGTERM");
    const draining = () => readiness().then((answer) => answer.status === 503 && answer);
    expect(await eventually("the gateway is draining", draining)).toEqual({ status: 503, connection: "close" });
  });
});
