/** Jest's globalSetup: looks for the infrastructure, and starts a mongod if MONGO_URI is not set. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { connect } from "node:net";
import { basename, delimiter, join } from "node:path";
import { hasMongod, startMongod, type Mongod } from "../infrastructure/mongod.ts";
import { lackingRelease, oldRelease } from "../servers/old-release.ts";
import { titles, variable, type InfraLookup, type InfraPart } from "../infrastructure/infra.ts";

let own: Mongod | undefined;

/** Jest may call it once for each project. The first call does the work. */
export default async function setUpInfra(): Promise<void> {
  if (process.env[variable] !== undefined) return;
  const [amqp, redis, mongo] = await Promise.all([
    given("AMQP_URL") ?? local("amqp://guest:guest@127.0.0.1:5672", "AMQP_URL"),
    given("REDIS_URL") ?? local("redis://127.0.0.1:6379", "REDIS_URL"),
    given("MONGO_URI") ?? startOwn(),
  ]);
  const found: Record<InfraPart, InfraLookup> = {
    amqp,
    redis,
    mongo,
    chromium: browser(),
    python: python(),
    kustomize: kustomize(),
    schemas: schemas(),
    strace: strace(),
  };
  const missing = Object.entries(found).flatMap(([part, answer]) =>
    "missing" in answer ? [`${titles[part as InfraPart]}: ${answer.missing}`] : [],
  );
  if (process.env["REQUIRE_INFRA"] === "1" && missing.length > 0) {
    throw new Error(`REQUIRE_INFRA=1, but not all infrastructure is there.\n${missing.join("\n")}`);
  }
  const release = lackingRelease(oldRelease);
  // Not covered by REQUIRE_INFRA: without it only the tests that need it fail.
  process.env[variable] = JSON.stringify({ ...found, ...(release === undefined ? {} : { oldRelease: { missing: release } }) });
}

export async function tearDownInfra(): Promise<void> {
  await own?.stop();
  own = undefined;
  // A later setup must look again.
  Reflect.deleteProperty(process.env, variable);
}

const given = (name: string): InfraLookup | undefined => {
  const url = process.env[name];
  return url === undefined || url === "" ? undefined : { url };
};

async function local(url: string, name: string): Promise<InfraLookup> {
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

/** Returns the paths of programs with these names on the PATH. */
const onPath = (...names: readonly string[]): string[] =>
  (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)).filter(isProgram));

function browser(): InfraLookup {
  const { CHROMIUM } = process.env;
  const path = (CHROMIUM === undefined || CHROMIUM === "" ? onPath("chromium", "chromium-browser") : [CHROMIUM]).find(isProgram);
  return path === undefined ? { missing: "no chromium is on the PATH or named by CHROMIUM" } : { url: path };
}

function pythonWith(modules: string, packages: string): InfraLookup {
  const { PYTHON } = process.env;
  const path = PYTHON === undefined || PYTHON === "" ? "python3" : PYTHON;
  const hasAll = spawnSync(path, ["-c", `import ${modules}`]).status === 0;
  return hasAll ? { url: path } : { missing: `no python3 on the PATH or named by PYTHON has ${packages}` };
}
const python = () => pythonWith("aiohttp, socketio", "python-socketio and aiohttp");
const schemas = () => pythonWith("kubernetes_validate", "kubernetes-validate");

function kustomize(): InfraLookup {
  const { KUSTOMIZE } = process.env;
  const candidates = KUSTOMIZE === undefined || KUSTOMIZE === "" ? onPath("kustomize", "kubectl") : [KUSTOMIZE];
  const path = candidates.find((candidate) => !isOldKustomize(candidate));
  if (path !== undefined) return { url: path };
  return {
    missing: "no kustomize 5 or newer, or kubectl that includes it, is on the PATH or named by KUSTOMIZE (Debian 13 has a package)",
  };
}

/** Whether it is older than 5, or no kustomize. Without a version number, kustomize is newer (Debian's), and kubectl has an old one. */
function isOldKustomize(program: string): boolean {
  const isKubectl = basename(program) === "kubectl";
  const { status, stdout } = spawnSync(program, isKubectl ? ["version", "--client"] : ["version"], { encoding: "utf8" });
  const major = (isKubectl ? /Kustomize Version: v(\d+)\./ : /v(\d+)\./).exec(stdout)?.[1];
  return status !== 0 || Number(major ?? (isKubectl ? 0 : 5)) < 5;
}

/** Only Linux has strace, and a container may forbid it. */
function strace(): InfraLookup {
  const path = onPath("strace").find((program) => spawnSync(program, ["-o", "/dev/null", "true"]).status === 0);
  return path === undefined ? { missing: "no strace on the PATH is allowed to trace a program" } : { url: path };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function startOwn(): Promise<InfraLookup> {
  if (!hasMongod) return { missing: "no mongod is on the PATH or named by MONGOD, and MONGO_URI is not set" };
  own = await startMongod();
  return { url: own.uri };
}
