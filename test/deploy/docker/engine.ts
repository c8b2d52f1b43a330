/**
 * Runs a separate Docker engine with its own data, socket and bridge. Stopping it removes everything it created, including bridges and
 * firewall chains.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cleanUpOnExit } from "../../support/cleanup-on-exit.ts";
import { eventually, within } from "../../support/eventually.ts";
import { has, run, type RunOptions } from "./shell.ts";

const bridge = "parley-deploy";
const subnet = "172.29.255.1/24";
/** Addresses of the networks that Compose creates. */
const pool = "base=172.29.0.0/17,size=24";
const forwarding = "/proc/sys/net/ipv4/ip_forward";
const stopWithinMs = 60_000;

export interface DockerEngine {
  /** @returns the output of `docker` with these arguments */
  docker(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Environment with which other programs, e.g. Compose, find this engine. */
  readonly env: Readonly<Record<string, string>>;
  /** The engine's log. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** @returns what the engine needs and this machine lacks; undefined if it has all */
export async function lackingForEngine(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "root";
  if (!(await has("apt-get"))) return "Debian";
  const programs = { dockerd: "docker.io", iptables: "iptables", ip: "iproute2", mmdebstrap: "mmdebstrap" };
  const missing: string[] = [];
  for (const [program, name] of Object.entries(programs)) if (!(await has(program))) missing.push(name);
  if (missing.length > 0) return `the packages ${missing.join(", ")} (apt-get install ${missing.join(" ")})`;
  if (await isRunning()) return "a machine on which no other Docker engine runs: the two would share the firewall's chains";
  return undefined;
}
const isRunning = (): Promise<boolean> =>
  run("pidof", ["dockerd"]).then(
    () => true,
    () => false,
  );

/**
 * @param folder  folder for its data and socket
 * @param config  the value of DOCKER_CONFIG: a folder with the plugins
 */
export async function startEngine(folder: string, config: string): Promise<DockerEngine> {
  await clearNetwork(); // A killed run may have left bridges and chains.
  const before = await readFile(forwarding, "utf8");
  const policy = (await run("iptables", ["-S", "FORWARD"])).split("\n")[0]!;
  await run("ip", ["link", "add", bridge, "type", "bridge"]);
  await run("ip", ["addr", "add", subnet, "dev", bridge]);
  const socket = `unix://${join(folder, "docker.sock")}`;
  const logFile = join(folder, "dockerd.log");
  const output = openSync(logFile, "a");
  const paths = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "pid"), "-H", socket];
  const child = spawn("dockerd", [...paths, "--bridge", bridge, "--default-address-pool", pool], {
    stdio: ["ignore", output, output],
    detached: true,
  });
  closeSync(output);
  const exited = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  const forget = cleanUpOnExit(() => child.kill("SIGTERM"));
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: config };
  const engine: DockerEngine = {
    env,
    // Debian's client: another one on the PATH may be newer than the engine, or older than the plugins.
    docker: (args, options) => run("/usr/bin/docker", args, { ...options, env: { ...env, ...options?.env } }),
    log: () => readFile(logFile, "utf8"),
    async stop() {
      child.kill("SIGTERM");
      await within(stopWithinMs, "dockerd ended", exited).catch(() => child.kill("SIGKILL"));
      await exited;
      forget();
      await clearNetwork();
      await run("iptables", policy.split(" "));
      await writeFile(forwarding, before);
      await rm(folder, { recursive: true });
    },
  };
  const up = () => engine.docker(["version", "--format", "{{.Server.Version}}"]);
  await eventually("dockerd answers", up, 60_000).catch(async (error: unknown) => {
    const log = await engine.log();
    await engine.stop();
    throw new Error(`dockerd does not start; it printed:\n${log}`, { cause: error });
  });
  return engine;
}

interface NetworkLink {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string }[];
}

/** Removes this engine's bridges, Docker's firewall chains, and the rules for either. */
async function clearNetwork(): Promise<void> {
  for (const table of ["filter", "nat"]) await clearTable(table);
  const links = JSON.parse(await run("ip", ["-json", "addr"])) as NetworkLink[];
  const isOurs = ({ ifname, addr_info }: NetworkLink) =>
    ifname === bridge || (/^br-[0-9a-f]{12}$/.test(ifname) && addr_info.some(({ local }) => local.startsWith("172.29.")));
  for (const { ifname } of links.filter(isOurs)) await run("ip", ["link", "delete", ifname]);
}

async function clearTable(table: string): Promise<void> {
  const saved = (await run("iptables-save", ["-t", table])).split("\n");
  const chains = saved.flatMap((line) => /^:(DOCKER\S*)/.exec(line)?.[1] ?? []);
  if (chains.length === 0) return;
  const isDockers = (line: string) => /^-A (?!DOCKER)/.test(line) && /DOCKER|br-[0-9a-f]{12}|172\.29\.|parley-deploy/.test(line);
  for (const rule of saved.filter(isDockers)) await run("sh", ["-c", `iptables -t ${table} ${rule.replace(/^-A/, "-D")}`]);
  for (const chain of chains) await run("iptables", ["-t", table, "-F", chain]);
  for (const chain of chains) await run("iptables", ["-t", table, "-X", chain]);
  // Docker sets this policy to DROP on a machine that did not forward before.
  if (table === "filter") await run("iptables", ["-P", "FORWARD", "ACCEPT"]);
}
