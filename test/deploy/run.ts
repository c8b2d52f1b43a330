/**
 * `npm run deploy:test`: tests the repository's Dockerfile and compose file, unchanged, on a separate Docker engine. Images from registries
 * are replaced by stand-ins built from Debian packages. It needs root and Debian, and names what is missing.
 */
import { globSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { freePort, temporaryFolder } from "../support/servers/server.ts";
import { hasMongod } from "../support/infrastructure/mongod.ts";
import { counted, details, table } from "../faults/report.ts";
import { hasStandIn, importStandIn } from "./docker/base-images.ts";
import { areRestricted, stopsCleanly, refusesTooLittleMemory, waitsForItsStore } from "./checks.ts";
import { lackingForEngine, startEngine, type DockerEngine } from "./docker/engine.ts";
import { imageSizes } from "./docker/image-sizes.ts";
import { killEachNode } from "./kills.ts";
import { areScraped } from "./monitoring.ts";
import { fetchPlugins } from "./docker/plugins.ts";
import { ComposeProject, root } from "./project.ts";
import { run } from "./docker/shell.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const healthyWithinMs = 300_000;

/** Runs a step, and prints its result and duration. @throws the step's error, after printing that it failed */
async function step(title: string, work: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const outcome = await work().catch((error: unknown) => {
    say(`FAILED  ${title}`);
    throw error;
  });
  say(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${title}${typeof outcome !== "string" ? "" : `: ${outcome}`}`);
}

const demo = async (url: string, env: Readonly<Record<string, string>> = {}): Promise<string> =>
  (await run(process.execPath, ["scripts/demo.ts", "--url", url], { cwd: root, env })).trimEnd().split("\n").at(-1)!;

/** The files that operators copy, each with the compose file. */
const examples = globSync("compose.*.example.yml", { cwd: root });

async function prepare(engine: DockerEngine, project: ComposeProject, cache: string): Promise<void> {
  const named = (await readFile(join(root, "Dockerfile"), "utf8")).matchAll(/^FROM (\S+)/gm);
  const wanted = (await project.compose(["--profile", "*", "config", "--images"])).trim().split("\n");
  const images = [...new Set([...[...named].map(([, image]) => image!), ...wanted.filter((image) => !image.startsWith("parley:"))])];
  for (const image of images) {
    if (await hasStandIn(image)) await step(`a stand-in for ${image}`, () => importStandIn(image, cache, (args) => engine.docker(args)));
    else say(`          no stand-in for ${image}: only its configuration is checked`);
  }
  await step("docker compose build", async () => {
    await project.compose(["build", "secrets"]);
    return imageSizes((args) => engine.docker(args));
  });
}

async function checkExamples(project: ComposeProject): Promise<void> {
  for (const example of examples) {
    await step(`docker compose accepts ${example}`, async () => {
      await project.with({}, [join(root, example)]).compose(["config", "-q"]);
    });
  }
}

async function tryMesh(project: ComposeProject, url: string): Promise<void> {
  await step("docker compose up: all healthy", async () => {
    await project.compose(["up", "-d", "--wait", "--wait-timeout", String(healthyWithinMs / 1000)]);
    await project.healthy(healthyWithinMs);
    return `${(await project.containers()).filter(({ isRunning }) => isRunning).length} containers running`;
  });
  await step(
    "Parley's containers are read-only, and have and gain no capabilities",
    async () => `${await areRestricted(project)} containers`,
  );
  await step("npm run demo -- --url, through the proxy", () => demo(url));
  await step("a backup of the mesh", () => backUp(project, "core"));
  await step("a node waits for its store, logs it, and becomes ready", () => waitsForItsStore(project));
  await step("a node with too little memory refuses to start", () => refusesTooLittleMemory(project));
  await step("Prometheus and Alertmanager run with the project's configuration", () => areScraped(project));
}

async function tryStorm(project: ComposeProject): Promise<void> {
  await step("a storm, while docker kill ends each node in turn", async () => {
    const limitless = project.with({}, [join(import.meta.dirname, "limits-off.yml")]);
    await limitless.compose(["up", "-d"]);
    await limitless.healthy(healthyWithinMs);
    const outcome = await killEachNode(limitless, (line) => say(`          ${line}`));
    say(table([outcome]));
    if (Object.values(counted(outcome.verdict)).some((found) => found.length > 0)) throw new Error(details(outcome));
  });
}

interface TlsTrial {
  readonly project: ComposeProject;
  readonly folder: string;
  readonly port: number;
  readonly services?: readonly string[];
}

/** Runs the demo over TLS with the proxy's self-signed certificate. @param services  the services to start; by default all */
async function tryTls(title: string, { project, folder, port, services = [] }: TlsTrial): Promise<void> {
  await step(title, async () => {
    const secure = project.with({ DOMAIN: "localhost", PUBLIC_URL: `https://localhost:${port}` });
    await secure.compose(["up", "-d", ...(services.length > 0 ? ["--no-deps"] : []), ...services]);
    await secure.healthy(healthyWithinMs);
    const certificate = join(folder, "root.crt");
    const { name } = await secure.container("proxy");
    await secure.docker(["cp", `${name}:/data/caddy/pki/authorities/local/root.crt`, certificate]);
    return demo(`https://localhost:${port}`, { NODE_EXTRA_CA_CERTS: certificate });
  });
}

async function tryEmbedded(project: ComposeProject, port: number): Promise<void> {
  await step("docker compose up embedded: one container, healthy", async () => {
    await project.compose(["up", "-d", "--wait", "embedded"]);
    const running = (await project.containers()).filter(({ isRunning }) => isRunning).map(({ service }) => service);
    if (running.join() !== "embedded") throw new Error(`running services: ${running.join(", ")}`);
    return `${await areRestricted(project)} containers restricted`;
  });
  await step("npm run demo -- --url, on the embedded server", () => demo(`http://localhost:${port}`));
  await step("a backup of the embedded server", () => backUp(project, "embedded"));
}

/** Runs a backup in a container of its own beside the nodes, as in docs/operating.md. @returns the last line of its output */
async function backUp(project: ComposeProject, service: string): Promise<string> {
  const command = ["node", "scripts/backup.ts", "--to", `/backups/${service}.tar`];
  return (await project.compose(["run", "--rm", "--no-deps", "-T", service, ...command])).trim().split("\n").at(-1)!;
}

async function deployTest(): Promise<void> {
  const missing = (await lackingForEngine()) ?? (hasMongod ? undefined : "mongod, on the PATH or named by MONGOD (.ci/run fetches one)");
  if (missing !== undefined) throw new Error(`npm run deploy:test needs ${missing}`);
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "parley/deploy");
  await mkdir(cache, { recursive: true });
  const folder = await temporaryFolder();
  const config = await fetchPlugins(join(cache, "docker"));
  const engine = await startEngine(folder, config);
  // Ctrl-C must leave nothing behind either. Stopping the engine stops its containers.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void engine.stop().finally(() => process.exit(130)));
  const ports = { HTTP_PORT: await freePort(), HTTPS_PORT: await freePort(), EMBEDDED_PORT: await freePort() };
  const env = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
  const project = new ComposeProject(engine, "parley-deploy-test", env);
  try {
    await checkExamples(project);
    await prepare(engine, project, join(cache, "images"));
    await tryMesh(project, `http://localhost:${ports.HTTP_PORT}`);
    await tryTls("npm run demo -- --url, over TLS", { project, folder, port: ports.HTTPS_PORT });
    await tryStorm(project);
    await step("docker compose stop: Parley's containers exit with 0", async () => `others: ${await stopsCleanly(project)}`);
    await tryEmbedded(project, ports.EMBEDDED_PORT);
    const behindProxy = project.with({ GATEWAYS: "embedded:3000", TRUST_PROXY: "1" });
    const services = ["embedded", "proxy"];
    await tryTls("npm run demo -- --url, on the embedded server over TLS", {
      project: behindProxy,
      folder,
      port: ports.HTTPS_PORT,
      services,
    });
    await step("docker compose stop: Parley's containers exit with 0", async () => `others: ${await stopsCleanly(project)}`);
  } finally {
    await project.remove().catch((error: unknown) => say(`could not remove the project: ${(error as Error).message}`));
    await engine.stop();
  }
}

try {
  await deployTest();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
