/** The image's other programs: its health check, and the job that makes a new MongoDB a replica set. */
import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import mongoose from "mongoose";
import { eventually } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { startMongod, type Mongod } from "../../support/infrastructure/mongod.ts";
import { freePort } from "../../support/servers/server.ts";

const scripts = join(import.meta.dirname, "../../../scripts/container");
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** Starts one of the scripts. */
function startScript(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [join(scripts, name), ...args], { env: { ...process.env, ...env } });
  cleanUps.push(() => child.kill("SIGKILL"));
  let printed = "";
  child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  child.stderr.on("data", (text: Buffer) => (printed += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { printed: () => printed, ended };
}
/** Starts a server whose `/ready` answers with this status. @returns its port */
async function readyServer(status: number, host: string): Promise<number> {
  const server: Server = createServer((request, response) => {
    response.writeHead(request.url === "/ready" ? status : 404).end('{"parts":{"store":"away"}}');
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

test.each([
  [200, "0.0.0.0", "127.0.0.1", 0],
  [503, "0.0.0.0", "127.0.0.1", 1],
  // A node with an address of its own does not listen on 127.0.0.1.
  [200, "127.0.0.9", "127.0.0.9", 0],
])("the health check gets a status of %i when ADMIN_HOST is %s", async (status, adminHost, listening, code) => {
  const port = await readyServer(status, listening);
  const check = startScript("check-ready.ts", [], { ADMIN_HOST: adminHost, ADMIN_PORT: String(port) });
  expect(await check.ended).toBe(code);
  expect(check.printed()).toContain("store");
});
test("the health check fails with one line when nothing answers", async () => {
  const check = startScript("check-ready.ts", [], { ADMIN_PORT: String(await freePort()) });
  expect(await check.ended).toBe(1);
  expect(check.printed().trimEnd().split("\n")).toEqual([expect.stringContaining("ECONNREFUSED")]);
});

test("the deployment test says what it needs and starts nothing when it can't run", async () => {
  const test = spawn(process.execPath, [join(import.meta.dirname, "../../deploy/run.ts")], { env: { PATH: "/nowhere" } });
  let printed = "";
  test.stderr.on("data", (text: Buffer) => (printed += text.toString()));
  expect(await new Promise((resolve) => test.once("close", resolve))).toBe(1);
  expect(printed).toMatch(/^npm run deploy:test needs (root|Debian)\n$/);
});

describeWith(["mongo"], "The job that makes a replica set", () => {
  const hostOf = ({ uri }: Mongod) => new URL(uri).host;
  const running = async (options: Parameters<typeof startMongod>[0]) => {
    const mongod = await startMongod(options);
    cleanUps.push(() => mongod.stop());
    return mongod;
  };

  test("leaves an existing replica set as it is, and refuses another name for it", async () => {
    const mongod = await running({});
    const repeated = startScript("init-replica-set.ts", [hostOf(mongod), "tests"]);
    expect(await repeated.ended).toBe(0);
    expect(repeated.printed()).toBe(`MongoDB at ${hostOf(mongod)} accepts writes\n`);
    const other = startScript("init-replica-set.ts", [hostOf(mongod), "rs0"]);
    expect(await other.ended).toBe(1);
    expect(other.printed()).toBe(`MongoDB at ${hostOf(mongod)} is already the replica set tests, not rs0\n`);
  });

  test("waits for MongoDB, prints each try, and makes it a replica set when it answers", async () => {
    const mongod = await running({ isInitialized: false });
    await mongod.kill();
    const job = startScript("init-replica-set.ts", [hostOf(mongod), "tests"]);
    await eventually("it has tried twice", () => job.printed().split("trying again").length > 2);
    await mongod.start();
    expect(await job.ended).toBe(0);
    expect(job.printed()).toContain("is now the replica set tests");
    const client = new mongoose.mongo.MongoClient(mongod.uri);
    cleanUps.push(() => client.close());
    await client.db("tests").collection("rows").insertOne({});
  });

  test("refuses a MongoDB that was started without --replSet", async () => {
    const mongod = await running({ replicaSet: false });
    const job = startScript("init-replica-set.ts", [hostOf(mongod), "rs0"]);
    expect(await job.ended).toBe(1);
    expect(job.printed().trimEnd().split("\n")).toEqual([expect.stringContaining("--replSet")]);
  });
});
