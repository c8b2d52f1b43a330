/** Tests the secrets of a compose project: created once, kept, and the same for nodes and for the programs that they log in to. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readConfig } from "../../../core/config/config.ts";

const script = join(import.meta.dirname, "../../../scripts/container/make-secrets.ts");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-secrets-"));
  for (const name of ["nodes", "rabbitmq", "redis", "grafana"]) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

const make = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
const all = () =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );

test("secrets are created once, and a second run changes nothing", () => {
  expect(make(folder)).toMatchObject({ status: 0, stderr: "" });
  const made = all();
  expect([...made.keys()].sort()).toEqual([
    "grafana/password",
    "nodes/amqp-url",
    "nodes/grafana-password",
    "nodes/jwt-secret",
    "nodes/rabbitmq-password",
    "nodes/redis-password",
    "nodes/redis-url",
    "rabbitmq/rabbitmq.conf",
    "redis/redis.conf",
  ]);
  expect(make(folder)).toMatchObject({ status: 0, stdout: "" });
  expect(all()).toEqual(made);
});

test("nodes read them, and log in with the passwords that RabbitMQ and Redis use", () => {
  make(folder);
  const config = readConfig({
    AMQP_URL_FILE: join(folder, "nodes/amqp-url"),
    REDIS_URL_FILE: join(folder, "nodes/redis-url"),
    JWT_SECRET_FILE: join(folder, "nodes/jwt-secret"),
    MONGO_URI: "mongodb://mongo/?replicaSet=rs0",
  });
  const files = all();
  expect(files.get("rabbitmq/rabbitmq.conf")).toContain(`default_pass = ${new URL(config.mesh!.amqpUrl).password}\n`);
  expect(files.get("redis/redis.conf")).toContain(`requirepass ${new URL(config.mesh!.redisUrl).password}\n`);
});

test("only the nodes' user can read the nodes' secrets, and other programs cannot write theirs", () => {
  make(folder);
  for (const name of all().keys()) expect(statSync(join(folder, name)).mode & 0o777).toBe(name.startsWith("nodes/") ? 0o400 : 0o444);
});

test("a removed secret is created again, and no other changes", () => {
  make(folder);
  const before = all();
  rmSync(join(folder, "nodes/jwt-secret"));
  expect(make(folder)).toMatchObject({ status: 0, stdout: `Made ${join(folder, "nodes/jwt-secret")}\n` });
  const after = all();
  expect([...after].filter(([name, text]) => before.get(name) !== text).map(([name]) => name)).toEqual(["nodes/jwt-secret"]);
});

const emptySecret = () => {
  chmodSync(join(folder, "nodes/jwt-secret"), 0o600);
  truncateSync(join(folder, "nodes/jwt-secret"));
};
test.each([
  ["an empty one", emptySecret, "jwt-secret is empty"],
  ["a folder that is not there", () => rmSync(join(folder, "redis"), { recursive: true }), "redis"],
])("%s is one line and exit code 1", (_what, spoil, said) => {
  make(folder);
  spoil();
  const { status, stderr } = make(folder);
  expect(status).toBe(1);
  expect(stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(new RegExp(`^Can't make the secrets: .*${said}`))]);
});

test("without a folder it prints its usage", () => {
  expect(make()).toMatchObject({ status: 1, stderr: expect.stringContaining("Usage: ") });
});
