/** Jest's globalSetup: looks for the infrastructure, and starts a mongod where there is one to start. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { hasMongod, startMongod, type Mongod } from "./mongod.ts";
import { titles, variable, type Found, type Part } from "./infra.ts";

let own: Mongod | undefined;

/** May run once for each Jest project; the first does the work. */
export default async function setUpInfra(): Promise<void> {
  if (process.env[variable] !== undefined) return;
  const [amqp, redis, mongo] = await Promise.all([
    given("AMQP_URL") ?? local("amqp://guest:guest@127.0.0.1:5672", "AMQP_URL"),
    given("REDIS_URL") ?? local("redis://127.0.0.1:6379", "REDIS_URL"),
    given("MONGO_URI") ?? startOwn(),
  ]);
  const found: Record<Part, Found> = { amqp, redis, mongo, chromium: browser(), python: python() };
  const missing = Object.entries(found).flatMap(([part, answer]) =>
    "missing" in answer ? [`${titles[part as Part]}: ${answer.missing}`] : [],
  );
  if (process.env["REQUIRE_INFRA"] === "1" && missing.length > 0) {
    throw new Error(`REQUIRE_INFRA=1, but not all infrastructure is there.\n${missing.join("\n")}`);
  }
  process.env[variable] = JSON.stringify(found);
}

export async function tearDownInfra(): Promise<void> {
  await own?.stop();
  own = undefined;
  // Whoever sets it up again must look anew.
  Reflect.deleteProperty(process.env, variable);
}

const given = (name: string): Found | undefined => {
  const url = process.env[name];
  return url === undefined || url === "" ? undefined : { url };
};

async function local(url: string, name: string): Promise<Found> {
  const { hostname, port } = new URL(url);
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 1000 });
    const done = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
  return answers ? { url } : { missing: `nothing answers on ${hostname}:${port}, and ${name} is not set` };
}

function browser(): Found {
  const { CHROMIUM, PATH = "" } = process.env;
  const named = PATH.split(delimiter).flatMap((folder) => ["chromium", "chromium-browser"].map((name) => join(folder, name)));
  const path = (CHROMIUM === undefined || CHROMIUM === "" ? named : [CHROMIUM]).find(isProgram);
  return path === undefined ? { missing: "there is no chromium on the PATH or named by CHROMIUM" } : { url: path };
}

function python(): Found {
  const { PYTHON } = process.env;
  const path = PYTHON === undefined || PYTHON === "" ? "python3" : PYTHON;
  const hasAll = spawnSync(path, ["-c", "import aiohttp, socketio"]).status === 0;
  return hasAll ? { url: path } : { missing: "no python3 on the PATH or named by PYTHON has python-socketio and aiohttp" };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function startOwn(): Promise<Found> {
  if (!hasMongod) return { missing: "no mongod on the PATH or named by MONGOD, and MONGO_URI is not set" };
  own = await startMongod();
  return { url: own.uri };
}
