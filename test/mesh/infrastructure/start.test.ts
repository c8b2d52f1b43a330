/** Nodes start in any order and wait for what they need. An error that waiting cannot fix ends the start with one line. */
import { afterEach, expect, test } from "@jest/globals";
import { eventually, within } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { amqpUrl, mongoUri, redisUrl } from "../../support/infrastructure/infra.ts";
import { cleanUpMesh } from "../../support/mesh/cleanup.ts";
import { usualNodes } from "../../support/mesh/mesh.ts";
import { freePort, startNode, type ServerEnv, type NodeProcess } from "../../support/servers/server.ts";
import { openTcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
const environment = (): ServerEnv => ({
  MESH: `test-start-${process.pid}`,
  AMQP_URL: amqpUrl(),
  REDIS_URL: redisUrl(),
  MONGO_URI: mongoUri(),
  JWT_SECRET: "a secret of at least 32 characters",
  HOST: "127.0.0.1",
});
const withUser = (url: string, user: string, password: string) => {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
};

async function node(env: ServerEnv): Promise<NodeProcess> {
  const [port, statusPort] = [await freePort(), await freePort()];
  const started = startNode("node", { ...environment(), PORT: String(port), ADMIN_PORT: String(statusPort), ...env }, statusPort);
  cleanUps.push(() => started.stop());
  return started;
}

describeMesh("Starting a mesh", () => {
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  test.each([
    ["AMQP_URL", () => ({ AMQP_URL: withUser(amqpUrl(), "nobody", "wrong") })],
    ["REDIS_URL", () => ({ REDIS_URL: withUser(redisUrl(), "nobody", "wrong") })],
    ["MONGO_URI", () => ({ MONGO_URI: withUser(mongoUri(), "nobody", "wrong") })],
  ])("fails with one line that names the variable if the credentials in %s are wrong", async (name, env) => {
    const refused = await node(env());
    cleanUps.unshift(() => cleanUpMesh(environment()));
    expect(await within(50_000, "the node exits", refused.exited)).toEqual({ code: 1, signal: null });
    expect(
      refused
        .log()
        .split("\n")
        .filter((line) => line.includes("Parley can't start")),
    ).toEqual([expect.stringMatching(`${name}: \\w+ (refused|rejected) `)]);
    expect(refused.log()).not.toContain("wrong");
  });

  test("leaves a gateway alone healthy but not ready, until nodes of all other services have started", async () => {
    const gateway = await node({ SERVICES: "gateway" });
    const parts = await eventually(
      "the admin server answers",
      async () => {
        const answer = await fetch(`${gateway.statusUrl}/ready`);
        return answer.status === 503 && JSON.stringify(await answer.json());
      },
      90_000,
    );
    expect(parts).not.toBe("");
    expect((await fetch(`${gateway.statusUrl}/health`)).status).toBe(200);
    const others = new Set<string>(Object.values(usualNodes).filter((services) => services !== "gateway"));
    for (const services of others) await node({ SERVICES: services });
    await gateway.ready(180_000);
    cleanUps.unshift(() => cleanUpMesh(environment()));
  });

  test("waits, with a log line, while the infrastructure is unreachable, and becomes ready once it is there", async () => {
    const proxies = await Promise.all([amqpUrl(), redisUrl(), mongoUri()].map((url) => openTcpProxy(url)));
    cleanUps.push(() => Promise.all(proxies.map((proxy) => proxy.close())));
    for (const proxy of proxies) await proxy.cut();
    const [AMQP_URL, REDIS_URL, MONGO_URI] = proxies.map(({ url }) => url) as [string, string, string];
    // A direct connection, because the replica set's members have other addresses than the proxy.
    const mongo = new URL(MONGO_URI);
    mongo.search = "?directConnection=true";
    const early = await node({ AMQP_URL, REDIS_URL, MONGO_URI: mongo.href });
    cleanUps.unshift(() => cleanUpMesh(environment()));
    await eventually("the node logs what it waits for", () => /away|wait|again/i.test(early.log()), 40_000);
    expect((await fetch(`${early.statusUrl}/ready`)).status).toBe(503);
    for (const proxy of proxies) await proxy.mend();
    await early.ready();
  });
});
