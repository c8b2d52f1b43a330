/** `npm run doctor` on a healthy mesh, and on a mesh with each part misconfigured or down. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connect } from "amqplib";
import { rabbitNames } from "../../../core/queue/rabbit-topology.ts";
import { doctor, expectToDo, expectWell } from "../../support/servers/doctor.ts";
import { eventually } from "../../support/eventually.ts";
import { amqpUrl, mongoUri, redisUrl } from "../../support/infrastructure/infra.ts";
import { describeMesh, describeWith } from "../../support/systems/describe-with.ts";
import { hasMongod, startMongod, type Mongod } from "../../support/infrastructure/mongod.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import { freePort, type ServerEnv } from "../../support/servers/server.ts";

/** The environment of a mesh that was never started, on the test infrastructure. */
const environment = (): ServerEnv & { readonly MESH: string } => ({
  MESH: `test-${randomBytes(5).toString("hex")}`,
  AMQP_URL: amqpUrl(),
  REDIS_URL: redisUrl(),
  MONGO_URI: mongoUri(),
  JWT_SECRET: randomBytes(32).toString("hex"),
});

describeMesh("The doctor on a mesh", () => {
  const own = ownMesh();

  test("finds no problem in a healthy mesh, with its environment or with its URL", async () => {
    await own.made.person();
    const inside = await doctor({ ...own.mesh.env, LIMITS: "on" });
    expectWell(inside);
    expect(inside.output).toMatch(/ok {4}MongoDB: \d+\.\d+/);
    expect(inside.output).toMatch(/ok {4}RabbitMQ queues: \d+, all quorum queues/);
    expect(inside.output).toContain("ok    Backup: none yet");
    expectWell(await doctor({}, { url: own.mesh.gateways[0] }));
  });

  test("names the service that is away, given only a gateway's URL", async () => {
    const url = own.mesh.gateways[0];
    await own.mesh.kill("profile");
    await eventually("the gateway is not ready", async () => (await fetch(`${url}/ready`)).status === 503);
    expectToDo(await doctor({}, { url }), `Server: ${url} is not ready: services called: away: profile`);
    await own.mesh.start("profile", "profile");
    await eventually("the gateway is ready", async () => (await fetch(`${url}/ready`)).status === 200);
  });

  test("finds no problem in a mesh that was never started, and creates no queues", async () => {
    const env = environment();
    const diagnosis = await doctor(env);
    expectWell(diagnosis);
    expect(diagnosis.output).toMatch(/ok {4}RabbitMQ queues: (\d+) of \1 are not there yet/);
    expectWell(await doctor(env));
  });

  test("reports a queue that is not a quorum queue", async () => {
    const env = environment();
    const queue = rabbitNames(env.MESH).queue("chat");
    const connection = await connect(env["AMQP_URL"]!);
    const channel = await connection.createChannel();
    try {
      await channel.assertQueue(queue, { durable: true });
      expectToDo(await doctor(env), `RabbitMQ queues: ${queue} was declared with other arguments`);
    } finally {
      await channel.deleteQueue(queue);
      await connection.close();
    }
  });

  test("reports each part that is unreachable or refuses the login in one line, without printing passwords", async () => {
    const port = await freePort();
    const refusing = new URL(amqpUrl());
    refusing.password = "not-the-rabbits-password";
    const diagnosis = await doctor({
      ...environment(),
      AMQP_URL: refusing.href,
      REDIS_URL: `redis://:not-the-redis-password@127.0.0.1:${port}`,
      MONGO_URI: `mongodb://somebody:not-the-mongo-password@127.0.0.1:${port}/?replicaSet=rs0`,
    });
    expectToDo(
      diagnosis,
      "MongoDB: can't be reached",
      "RabbitMQ: it refuses the user, the password or the virtual host",
      "Redis: can't be reached",
    );
    expect(diagnosis.todo).toHaveLength(3);
    expect(diagnosis.output).not.toMatch(/not-the-\w+-password/);
  });

  test("reports a password that MongoDB refuses", async () => {
    const uri = mongoUri().replace("mongodb://", "mongodb://somebody:wrong-password@");
    expectToDo(await doctor({ ...environment(), MONGO_URI: uri }), "MongoDB: it refuses the user or the password");
  });
});

describeWith(["amqp", "redis"], "The doctor on a MongoDB", () => {
  const started: Mongod[] = [];
  const needsMongod = hasMongod || process.env["REQUIRE_INFRA"] === "1" ? test : test.skip;
  const env = (uri: string): ServerEnv => ({ ...environment(), MONGO_URI: uri });
  let alone: Mongod;
  let slow: Mongod;

  beforeAll(async () => {
    if (!hasMongod && process.env["REQUIRE_INFRA"] !== "1") return;
    [alone, slow] = await Promise.all([startMongod({ replicaSet: false }), startMongod({ transactionLifetimeSeconds: 60 })]);
    started.push(alone, slow);
  });
  afterAll(() => Promise.all(started.map((mongod) => mongod.stop())));

  needsMongod("that is not a replica set reports it", async () => {
    expectToDo(await doctor(env(alone.uri)), "MongoDB replica set: MongoDB does not run as one");
  });

  needsMongod("that keeps a dead node's transaction for a minute reports it", async () => {
    const diagnosis = await doctor(env(slow.uri));
    expectToDo(diagnosis, "MongoDB transactions: transactionLifetimeLimitSeconds is 60");
    expect(diagnosis.todo).toHaveLength(1);
  });
});
