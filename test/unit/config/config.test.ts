/** Tests the configuration: defaults, a clear message for each bad variable, the README's table, and the services' names. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { ConfigError, readConfig, variables } from "../../../core/config/config.ts";
import { serviceNames, serviceNamesIn } from "../../../core/service-names.ts";
import { configTable } from "../../../scripts/generate/config-table.ts";
import { outOfDate, withTable } from "../../../scripts/generate/markdown-table.ts";
import { allSchemas } from "../../../scripts/operator/service-data.ts";

type ConfigEnv = Parameters<typeof readConfig>[0];

const mesh: ConfigEnv = {
  AMQP_URL: "amqp://guest:guest@rabbit:5672",
  REDIS_URL: "redis://redis:6379/2",
  MONGO_URI: "mongodb://user:secret@a:27017,b:27018/?replicaSet=rs",
  JWT_SECRET: "s".repeat(32),
};

/** The lines that the operator sees. */
function complaints(env: ConfigEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
}

test("without any variable, it is one process with all services", () => {
  expect(readConfig({})).toEqual({
    mesh: undefined,
    PORT: 3000,
    HOST: "0.0.0.0",
    DATA_DIR: resolve("data"),
    SERVICES: serviceNames,
    AMQP_URL: undefined,
    REDIS_URL: undefined,
    MONGO_URI: undefined,
    MESH: "parley",
    CLOUDINARY_URL: undefined,
    JWT_SECRET: undefined,
    JWT_OLD_SECRETS: [],
    PASSWORD_COST: 10,
    PUBLIC_URL: undefined,
    CORS_ORIGINS: [],
    CONTACTS: "required",
    UPLOAD_GRACE_MS: 3_600_000,
    GROUP_LIMIT: 1000,
    LIMITS: "on",
    TRUST_PROXY: 0,
    KEEP_ALIVE_MS: 65_000,
    ADMIN_PORT: undefined,
    ADMIN_HOST: "127.0.0.1",
    EVENT_RETRY_MS: 1000,
    EVENT_ATTEMPTS: 10,
    DRAIN_MS: 2000,
    ROUTING: "on",
    TRACING_URL: undefined,
    TRACING_SAMPLE: 0.01,
    FAULTS: [],
    LOG_LEVEL: "info",
    NODE_ENV: undefined,
  });
});

test("an empty variable counts as unset, and white space around a value is ignored", () => {
  expect(readConfig({ PORT: "", LIMITS: " " })).toEqual(readConfig({}));
  expect(readConfig({ PORT: " 8080 " }).PORT).toBe(8080);
});

test("values are parsed to their types", () => {
  const config = readConfig({
    PORT: "0",
    DATA_DIR: "elsewhere",
    JWT_OLD_SECRETS: `${"a".repeat(32)}, ${"b".repeat(40)}`,
    PUBLIC_URL: "https://chat.example.org/",
    CORS_ORIGINS: "https://a.example.org,http://localhost:5173",
    CONTACTS: "open",
    TRUST_PROXY: "10.0.0.0/8, ::1",
    FAULTS: "outbox.publish=kill",
    CLOUDINARY_URL: "cloudinary://key:secret@cloud?upload_prefix=https://api-eu.cloudinary.com",
  });
  expect(config).toMatchObject({
    PORT: 0,
    DATA_DIR: resolve("elsewhere"),
    JWT_OLD_SECRETS: ["a".repeat(32), "b".repeat(40)],
    PUBLIC_URL: "https://chat.example.org",
    CORS_ORIGINS: ["https://a.example.org", "http://localhost:5173"],
    CONTACTS: "open",
    TRUST_PROXY: ["10.0.0.0/8", "::1"],
    FAULTS: ["outbox.publish=kill"],
    CLOUDINARY_URL: { cloud: "cloud", key: "key", secret: "secret", apiUrl: "https://api-eu.cloudinary.com", deliveryHost: undefined },
  });
  expect(readConfig({ TRUST_PROXY: "2" }).TRUST_PROXY).toBe(2);
});

describe("a bad variable stops the start with a line that names it", () => {
  const bad: readonly (readonly [name: keyof typeof variables, value: string])[] = [
    ["PORT", "eighty"],
    ["TRACING_URL", "collector:9411"],
    ["TRACING_URL", "http://me:100%@collector:9411"],
    ["TRACING_URL", "http://me%2:5@collector:9411"],
    ["TRACING_SAMPLE", "1.5"],
    ["TRACING_SAMPLE", "5%"],
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "80.5"],
    ["PORT", "0x50"],
    ["SERVICES", "gateway,chatt"],
    ["AMQP_URL", "http://rabbit"],
    ["REDIS_URL", "redis:6379"],
    ["REDIS_URL", "redis://"],
    ["MONGO_URI", "localhost"],
    ["MONGO_URI", "mongodb:///db"],
    ["MESH", "Parley!"],
    ["CLOUDINARY_URL", "https://key:secret@cloud"],
    ["CLOUDINARY_URL", "cloudinary://key@cloud"],
    ["CLOUDINARY_URL", "cloudinary://key:secret@cloud?upload_prefix=http://api.example.org"],
    ["JWT_SECRET", "too short"],
    ["JWT_OLD_SECRETS", `${"a".repeat(32)},short`],
    ["PUBLIC_URL", "chat.example.org"],
    ["PUBLIC_URL", "https://chat.example.org/path"],
    ["CORS_ORIGINS", "*"],
    ["CONTACTS", "closed"],
    ["GROUP_LIMIT", "2"],
    ["LIMITS", "false"],
    ["TRUST_PROXY", "33"],
    ["KEEP_ALIVE_MS", "0"],
    ["ADMIN_PORT", "no"],
    ["EVENT_RETRY_MS", "0"],
    ["EVENT_ATTEMPTS", "0"],
    ["DRAIN_MS", "9000"],
    ["ROUTING", "maybe"],
    ["LOG_LEVEL", "loud"],
  ];
  test.each(bad)("%s=%s", (name, value) => {
    const lines = complaints({ [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^${name} must be .+`));
    expect(lines[0]).not.toContain("\n");
  });

  test("all bad variables are named together", () => {
    expect(complaints({ PORT: "x", LIMITS: "x", LOG_LEVEL: "x" }).map((line) => line.split(" ")[0])).toEqual([
      "PORT",
      "LIMITS",
      "LOG_LEVEL",
    ]);
  });
  test("the line about an unknown service also names the known ones", () => {
    expect(complaints({ ...mesh, SERVICES: "gateway,chatt" })).toEqual([
      `SERVICES must be a list of ${serviceNames.join(", ")}; there is no service "chatt"`,
    ]);
  });
  test("the line about a secret does not contain it", () => {
    expect(complaints({ JWT_SECRET: "hunter2" })[0]).not.toContain("hunter2");
    expect(complaints({ CLOUDINARY_URL: "cloudinary://key:hunter2" })[0]).not.toContain("hunter2");
  });
});

describe("a mesh", () => {
  test("needs all three URLs and a secret", () => {
    expect(readConfig(mesh).mesh).toEqual({
      name: "parley",
      amqpUrl: mesh["AMQP_URL"],
      redisUrl: mesh["REDIS_URL"],
      mongoUri: mesh["MONGO_URI"],
    });
    expect(complaints({ ...mesh, JWT_SECRET: undefined })).toEqual(["JWT_SECRET not set: a mesh needs the same secret on every node"]);
  });
  test.each([
    [["AMQP_URL"], "AMQP_URL not set"],
    [["REDIS_URL", "MONGO_URI"], "REDIS_URL and MONGO_URI not set"],
    [["AMQP_URL", "MONGO_URI"], "AMQP_URL and MONGO_URI not set"],
  ])("half of one is refused: without %j", (missing, said) => {
    const lines = complaints({ ...mesh, ...Object.fromEntries(missing.map((name) => [name, undefined])) });
    expect(lines).toEqual([`${said}: a mesh needs all of AMQP_URL, REDIS_URL, MONGO_URI; embedded mode needs none`]);
  });
  test("runs the services in SERVICES; embedded mode runs all", () => {
    expect(readConfig({ ...mesh, SERVICES: "gateway, chat" }).SERVICES).toEqual(["gateway", "chat"]);
    expect(complaints({ SERVICES: "gateway" })).toEqual([expect.stringMatching(/^SERVICES can only be set in a mesh/)]);
  });
});

test("production refuses settings for tests", () => {
  expect(complaints({ NODE_ENV: "production", LIMITS: "off", FAULTS: "outbox.publish=kill" })).toEqual([
    "LIMITS=off is refused with NODE_ENV=production",
    "FAULTS is refused with NODE_ENV=production",
  ]);
  expect(complaints({ NODE_ENV: "production" })).toEqual([]);
  expect(complaints({ LIMITS: "off" })).toEqual([]);
});

describe("the README's table", () => {
  test("is up to date", async () => {
    expect(await outOfDate(configTable)).toBeUndefined();
  });
  test("has a line for every variable, and leaves the text around it unchanged", async () => {
    const text = await withTable(configTable, "before\n<!-- config -->stale\n<!-- /config -->\nafter");
    for (const [name, { meaning }] of Object.entries(variables)) {
      expect(text.split("\n").filter((line) => line.startsWith(`| \`${name}\``) && line.includes(meaning))).toHaveLength(1);
    }
    expect(text).toMatch(/^before\n<!-- config -->\n\n\|/);
    expect(text).toMatch(/\|\n\nA secret .+\n.+\.\n\n<!-- \/config -->\nafter$/);
    expect(text).not.toContain("stale");
    expect(await withTable(configTable, text)).toBe(text);
  });
  test("a page without markers is an error", async () => {
    await expect(withTable(configTable, "# Parley")).rejects.toThrow("README.md has no markers for the table");
  });
});

describe("the names of services", () => {
  test("a folder that contains a service file of its name is a service", () => {
    const folder = mkdtempSync(join(tmpdir(), "parley-services-"));
    for (const file of [
      "wave/wave.service.ts",
      "chat/chat.service.ts",
      "chat/contract.ts",
      "page/layout.ts",
      "odd/other.service.ts",
      "map.ts",
    ]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), "");
    }
    expect(serviceNamesIn(folder)).toEqual(["chat", "wave"]);
    rmSync(folder, { recursive: true });
  });

  test("each file that moleculer-runner loads is a service of its name", async () => {
    expect((await allSchemas()).map(({ name }) => name).sort()).toEqual(serviceNames);
  });
});
