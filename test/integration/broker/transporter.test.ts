/** Calls over RabbitMQ when the connection of a node breaks: each request is handled once, and later ones are answered. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { builtInMiddlewares } from "../../../core/broker/built-in-middlewares.ts";
import { brokerOptions } from "../../../core/broker/options.ts";
import { readConfig } from "../../../core/config/config.ts";
import { followers } from "../../../services/followers.ts";
import { eventually } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { amqpUrl } from "../../support/infrastructure/infra.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

describeWith(["amqp"], "A node on RabbitMQ", () => {
  const name = `test-${randomBytes(5).toString("hex")}`;
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function node(amqp: string, services: ServiceSchema[] = []): Promise<ServiceBroker> {
    const env = {
      AMQP_URL: amqp,
      REDIS_URL: "redis://127.0.0.1",
      MONGO_URI: "mongodb://127.0.0.1",
      MESH: name,
      JWT_SECRET: "x".repeat(32),
    };
    const options = brokerOptions(readConfig(env), followers);
    // Without the middlewares that open the store and Redis.
    const broker = new ServiceBroker({ ...options, middlewares: [...builtInMiddlewares], cacher: false, logger: false });
    for (const service of services) broker.createService(service);
    await broker.start();
    cleanUps.push(() => broker.stop());
    return broker;
  }

  test("whose connection breaks handles no request twice, and receives and answers later ones", async () => {
    const proxy: TcpProxy = await openTcpProxy(amqpUrl());
    cleanUps.push(proxy.close);
    const started: number[] = [];
    const held = Promise.withResolvers<undefined>();
    const slow = async (n: number) => {
      started.push(n);
      if (n < 20) await held.promise;
      return n;
    };
    const worker = await node(proxy.url, [{ name: "slow", actions: { work: ({ params }) => slow(params.n) } }]);
    const caller = await node(amqpUrl());
    await caller.waitForServices("slow", 60_000);
    const request = (n: number, timeout: number) => caller.call<number, { n: number }>("slow.work", { n }, { timeout });

    const lost = Array.from({ length: 20 }, (_, n) => request(n, 1000).catch(() => undefined));
    await eventually("all have started", () => started.length === 20);
    let connections = 0;
    worker.localBus.on("$transporter.connected", () => (connections += 1));
    await proxy.cut();
    await proxy.mend();
    await Promise.all(lost);
    await eventually("it is connected again", () => connections === 1, 20_000);
    held.resolve(undefined);
    expect(await eventually("it answers again", () => request(100, 1000), 20_000)).toBe(100);
    expect(started.filter((n) => n < 20)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(connections).toBe(1);
  });

  test("stops without an error, also when it sends heartbeats meanwhile", async () => {
    const stopping = await node(amqpUrl());
    const state = { hasStopped: false };
    const stopped = stopping.stop().then(() => (state.hasStopped = true));
    const heartbeats: Promise<unknown>[] = [];
    while (!state.hasStopped) {
      heartbeats.push(stopping.registry.discoverer.sendHeartbeat());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopped;
    expect(heartbeats.length).toBeGreaterThan(10);
    await Promise.all(heartbeats);
  });
});
