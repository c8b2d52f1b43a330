/** Starts and stops the embedded server: fast and clean when all is well, else one clear line and exit code 1. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "@jest/globals";
import jwt from "jsonwebtoken";
import { schemaId, schemaOf, schemas } from "../../../core/store/migrations.ts";
import { insert } from "../../../core/store/store.ts";
import { factory } from "../../support/people/factory.ts";
import { requestJson } from "../../support/people/person.ts";
import { within } from "../../support/eventually.ts";
import { openStoreAt } from "../../support/store/stores.ts";
import { freePort, startEmbedded, startNode, temporaryFolder, type ServerEnv } from "../../support/servers/server.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function folder(): Promise<string> {
  const path = await temporaryFolder();
  cleanUps.push(() => rm(path, { recursive: true, force: true }));
  return path;
}
async function running(options: Parameters<typeof startEmbedded>[0] = {}) {
  const server = await startEmbedded(options);
  cleanUps.push(() => server.stop());
  return server;
}
/** Starts a server that must refuse to start. @returns what it printed */
async function refusal(env: ServerEnv): Promise<string> {
  const port = await freePort();
  const node = startNode("refused", { PORT: String(port), ...env }, port);
  const { code } = await within(60_000, "the server has ended by itself", node.exited).catch(async (error: unknown) => {
    await node.stop();
    throw error;
  });
  expect(code).toBe(1);
  return node.log();
}
const linesOf = (printed: string) => printed.split("\n").filter((line) => line.includes("Parley can't start"));

async function fingerprint(path: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    const file = join(path, name);
    if ((await stat(file)).isFile()) hash.update(name).update(await readFile(file));
  }
  return hash.digest("hex");
}

/** Measures how long Node takes on this machine to load the libraries that a start loads, in ms. */
async function measureLoading(): Promise<number> {
  const began = performance.now();
  const program = `await Promise.all(["moleculer", "moleculer-web", "socket.io", "mongoose", "sharp"].map((name) => import(name)))`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  return performance.now() - began;
}

/** Measures how long the disk takes on this machine to sync that many small writes, one after another, in ms. */
async function measureSyncing(writes: number): Promise<number> {
  const file = openSync(join(await folder(), "synced"), "w");
  const began = performance.now();
  for (let i = 0; i < writes; i++) {
    writeSync(file, "x".repeat(4096));
    fsyncSync(file);
  }
  const took = performance.now() - began;
  closeSync(file);
  return took;
}
/** How many writes a start and a stop wait for. */
const syncedWrites = { start: 12, end: 3 };

test("data that only newer releases can read makes the start fail with one line, and does not change", async () => {
  const dataDir = await folder();
  const store = await openStoreAt(["sqlite", dataDir, ""]);
  const db = await store.open("chat", [schemas]);
  await db.commit([insert(schemas, { _id: schemaId, version: 9, oldest: 8, rev: 30, cursor: null, done: 0 })]);
  await store.close();
  expect(linesOf(await refusal({ DATA_DIR: dataDir }))).toEqual([
    expect.stringMatching(/^Parley can't start: the data of chat needs a release with schema 8 or newer \(it has 9, this release \d+\)/),
  ]);
  const again = await openStoreAt(["sqlite", dataDir, ""]);
  expect(await schemaOf(await again.open("chat", [schemas]))).toMatchObject({ version: 9, oldest: 8, rev: 30 });
  await again.close();
});

test("the server is ready within 3 s, prints its address in one line, and ends within 2 s after Ctrl-C", async () => {
  const took: { readonly loading: number; readonly syncing: number; readonly ready: number; readonly end: number }[] = [];
  // The limits are for a machine that loads the libraries in 0.3 s. A slower machine gets proportionally more time, plus the time that its
  // disk takes.
  const isFast = ({ loading, syncing, ready, end }: (typeof took)[number]) => {
    const slowness = Math.max(1, loading / 300);
    return ready < 3000 * slowness + syncing && end < 2000 * slowness + (syncing * syncedWrites.end) / syncedWrites.start;
  };
  // Other work on the machine only makes a start slower, so one fast start of three is enough.
  while (took.length < 3 && !took.some(isFast)) {
    const baseline = { loading: await measureLoading(), syncing: await measureSyncing(syncedWrites.start) };
    const began = performance.now();
    const server = await running();
    const ready = performance.now() - began;
    const port = new URL(server.url).port;
    expect(
      server
        .log()
        .split("\n")
        .filter((line) => line.includes(port)),
    ).toHaveLength(1);
    const stopping = performance.now();
    server.signal("SIGINT");
    expect(await within(20_000, "the server has ended", server.exited)).toEqual({ code: 0, signal: null });
    took.push({ ...baseline, ready, end: performance.now() - stopping });
  }
  process.stderr.write(`ready and ended after, in ms: ${JSON.stringify(took)}\n`);
  expect(took.some(isFast)).toBe(true);
});

test("stored messages are still there after a clean stop and after SIGKILL", async () => {
  const dataDir = await folder();
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const server = await running({ dataDir });
    const made = factory(() => [server.url]);
    const { a, b, chatId } = await made.pair();
    const { body } = await a.post("/chat/messages", { chatId, text: "Remember me" });
    server.signal(signal);
    await server.exited;
    const again = await running({ dataDir });
    expect((await b.at(again.url).get(`/chat/messages/${chatId}`)).body).toEqual([body]);
    await again.stop();
  }
});

test("the JWT secret is read from a file", async () => {
  const file = join(await folder(), "jwt");
  await writeFile(file, `${"k".repeat(40)}\n`);
  const dataDir = await folder();
  const server = await running({ dataDir, env: { JWT_SECRET_FILE: file } });
  const person = factory(() => [server.url]).stranger();
  await person.signUp();
  expect(await readdir(dataDir)).not.toContain("jwt-secret");
  expect(() => jwt.verify(person.token, "k".repeat(40))).not.toThrow();
});

test("ADMIN_PORT serves health, readiness and metrics, and no API", async () => {
  const adminPort = await freePort();
  const admin = `http://127.0.0.1:${adminPort}`;
  const server = await running({ env: { ADMIN_PORT: String(adminPort) } });
  expect((await requestJson(admin, "GET", "/health")).status).toBe(200);
  expect((await requestJson(admin, "GET", "/ready")).status).toBe(200);
  const metrics = await fetch(`${admin}/metrics`);
  expect(await metrics.text()).toContain("parley_part_ok");
  expect((await requestJson(admin, "GET", "/auth/me")).status).toBe(404);
  server.signal("SIGTERM");
  expect(await within(20_000, "the server has ended", server.exited)).toEqual({ code: 0, signal: null });
});

test("a port that is in use makes the start fail with one line", async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => new Promise((resolve) => blocker.close(resolve)));
  const { port } = blocker.address() as AddressInfo;
  const printed = await refusal({ DATA_DIR: await folder(), HOST: "127.0.0.1", PORT: String(port) });
  expect(linesOf(printed)).toEqual([expect.stringContaining(String(port))]);
});

test("a data folder that can't be written makes the start fail with one line", async () => {
  const path = join(await folder(), "file");
  await writeFile(path, "not a folder");
  const printed = await refusal({ DATA_DIR: join(path, "data") });
  expect(linesOf(printed)).toEqual([expect.stringContaining(path)]);
  expect(await readFile(path, "utf8")).toBe("not a folder");
});

test("a second process on a data folder is refused, and disturbs neither the data nor the first process", async () => {
  const dataDir = await folder();
  const first = await running({ dataDir });
  const before = await fingerprint(dataDir);
  const printed = await refusal({ DATA_DIR: dataDir });
  expect(linesOf(printed)).toEqual([expect.stringContaining(dataDir)]);
  expect(await fingerprint(dataDir)).toBe(before);
  expect((await requestJson(first.url, "GET", "/ready")).status).toBe(200);
});

test.each([
  ["a port in words", { PORT: "eighty" }, ["PORT"]],
  ["several bad variables", { PORT: "70000", CONTACTS: "none", CORS_ORIGINS: "example.org" }, ["PORT", "CORS_ORIGINS", "CONTACTS"]],
  ["a short secret", { JWT_SECRET: "short" }, ["JWT_SECRET"]],
  ["only one of the three URLs", { REDIS_URL: "redis://127.0.0.1" }, ["AMQP_URL and MONGO_URI"]],
  ["only two of the three URLs", { REDIS_URL: "redis://127.0.0.1", AMQP_URL: "amqp://127.0.0.1" }, ["MONGO_URI"]],
  [
    "a mesh without a secret",
    { REDIS_URL: "redis://127.0.0.1", AMQP_URL: "amqp://127.0.0.1", MONGO_URI: "mongodb://127.0.0.1" },
    ["JWT_SECRET"],
  ],
  ["an unknown service", { SERVICES: "gateway,chess" }, ["SERVICES"]],
  ["services without a mesh", { SERVICES: "gateway" }, ["SERVICES"]],
  ["limits off in production", { NODE_ENV: "production", LIMITS: "off" }, ["LIMITS"]],
  ["faults in production", { NODE_ENV: "production", FAULTS: "store.commit=kill" }, ["FAULTS"]],
  [
    "a secret file that is missing",
    { JWT_SECRET_FILE: "/nonexistent/jwt" },
    ["JWT_SECRET_FILE names /nonexistent/jwt, which does not exist"],
  ],
  ["an unknown fault", { FAULTS: "nothing=kill" }, ["FAULTS"]],
  ["a variable that moleculer-runner would obey", { TRANSPORTER: "TCP" }, ["TRANSPORTER"]],
])("%s makes the start fail with a line for each variable, and no data folder is created", async (_what, env: ServerEnv, names) => {
  const path = join(await folder(), "data");
  const lines = linesOf(await refusal({ DATA_DIR: path, ...env }));
  expect(lines).toEqual(names.map((name) => expect.stringContaining(name)));
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
});
