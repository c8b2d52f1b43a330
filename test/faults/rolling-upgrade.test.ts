/**
 * A rolling upgrade from the old release: under load each of its nodes is replaced by one of this checkout, the new one started before
 * the old one is stopped, as a balancer and Kubernetes do it. Meanwhile old and new nodes work together in every pair of roles.
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
import { checkOut, lackingRelease, oldRelease, type Checkout } from "../support/servers/old-release.ts";
import { recordErrors } from "../support/recorded-errors.ts";
import { freePort } from "../support/servers/server.ts";

/** At first one of each pair, so that each release's gateway has each release's chat node behind it. */
const order = ["chatA", "gatewayA", "auth", "request", "profile", "media", "gatewayB", "chatB"] as const satisfies readonly MeshNodeName[];
/** What the storm does itself: it changes messages that others deleted a moment ago. */
const expected = ["CONFLICT", "NOT_FOUND"];
/** Acknowledged between two steps. */
const between = 20;

const reasons = [skipReason("amqp", "redis", "mongo"), lackingRelease(oldRelease)].filter((reason) => reason !== undefined);
const isDemanded = process.env["REQUIRE_INFRA"] === "1";
const describeUpgrade = reasons.length === 0 || isDemanded ? describe : describe.skip;

describeUpgrade(`A rolling upgrade${reasons.length === 0 ? "" : ` (skipped, it needs ${reasons.join("; ")})`}`, () => {
  let old: Checkout;
  let mesh: TestMesh;
  let balancers: readonly [Balancer, Balancer];
  /** Of the new gateways. */
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

  /** Starts a new node, lets the balancer find it, and stops the old one. */
  async function replace(role: MeshNodeName): Promise<void> {
    const port = await freePort();
    const side = role === "gatewayA" ? 0 : role === "gatewayB" ? 1 : undefined;
    await mesh.start(`new ${role}`, usualNodes[role], side === undefined ? {} : { PORT: String(port), DRAIN_MS: "5000" });
    if (side !== undefined) {
      ports[side] = port;
      balancers[side].aim(`http://127.0.0.1:${port}`);
    }
    mesh.node(role).signal("SIGTERM");
    // With whatever code: the old release's heartbeat may meet the end of its own connection.
    expect({ role, signal: (await mesh.node(role).exited).signal }).toEqual({ role, signal: null });
  }

  test("under load shows nobody an error, and loses, doubles and disorders nothing", async () => {
    const world: ReachableTarget = {
      gateways: [balancers[0].url, balancers[1].url],
      inspect: (see) => inspectMesh(mesh.env, see),
      stop: () => Promise.resolve(),
    };
    const storm: RunningStorm = await startStorm(world, { name: "upgrade", what: "all nodes", promiseMs: promises.processMs }, smallSize);
    const errors = recordErrors(world.gateways, expected);
    try {
      const from = Date.now();
      for (const role of order) {
        const before = storm.acknowledged();
        await replace(role);
        await eventually("the storm goes on", () => storm.acknowledged() >= before + between, 60_000);
      }
      const endedAt = await storm.end();
      const seen = [...errors.errors];
      const { lost, doubled, outOfOrder, viewsDiffer, eventsLost, acknowledged, durableEvents } = await assess(
        world,
        storm,
        { from, cut: [] },
        endedAt,
      );
      process.stderr.write(`rolling upgrade: ${acknowledged} changes and ${durableEvents} durable events, ${seen.length} errors\n`);
      expect({ seen, lost, doubled, outOfOrder, viewsDiffer, eventsLost }).toEqual({
        seen: [],
        lost: [],
        doubled: [],
        outOfOrder: [],
        viewsDiffer: [],
        eventsLost: [],
      });
    } finally {
      errors.stop();
      await storm.close();
    }
  }, 900_000);

  test("leaves gateways that end kept-alive connections with an answer while they drain", async () => {
    const gateway = mesh.node("new gatewayB");
    const url = `http://127.0.0.1:${ports[1]}`;
    const asked = async () => {
      const answer = await fetch(`${url}/ready`);
      await answer.body?.cancel();
      return { status: answer.status, connection: answer.headers.get("connection") };
    };
    expect(await asked()).toEqual({ status: 200, connection: "keep-alive" });
    gateway.signal("SIGTERM");
    const draining = () => asked().then((answer) => answer.status === 503 && answer);
    expect(await eventually("it drains", draining)).toEqual({ status: 503, connection: "close" });
  });
});
