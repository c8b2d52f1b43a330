/** Tests the rules of the compose file and the Dockerfile: closed ports, limits, pinned versions and secrets. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { variables } from "../../../core/config/config.ts";
import { serviceNames } from "../../../core/service-names.ts";

const root = join(import.meta.dirname, "../../..");
const read = (name: string) => readFileSync(join(root, name), "utf8");

interface ComposeServiceEntry {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly cap_add?: readonly string[];
  readonly [key: string]: unknown;
}
interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeServiceEntry>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}
const project = parse(read("docker-compose.yml"), { merge: true }) as ComposeFile;
const all = Object.entries(project.services);
const ours = all.filter(([, { image }]) => image.includes("parley:local"));
const nodes = ours.filter(([, { environment }]) => environment?.["SERVICES"] !== undefined);
const networksOf = ({ networks = [] }: ComposeServiceEntry) =>
  (Array.isArray(networks) ? networks : Object.keys(networks)) as readonly string[];

test("every service of Parley runs in the mesh, gateways and chat twice", () => {
  const running = nodes.flatMap(([, { environment }]) => environment!["SERVICES"]!.split(","));
  expect([...new Set(running)].sort()).toEqual([...serviceNames]);
  expect(running.filter((name) => name === "gateway")).toHaveLength(2);
  expect(project.services["chat"]!["deploy"]).toEqual({ replicas: 2 });
});

describe.each(ours)("our own container %s", (_name, container) => {
  test("is read-only, without capabilities, and gains none", () => {
    expect(container).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
    expect(container.cap_add).toBeUndefined();
    for (const key of ["privileged", "user", "pid", "ipc"]) expect(container).not.toHaveProperty(key);
  });
  test("gets time to stop", () => {
    expect(container["stop_grace_period"]).toBe("20s");
  });
});

describe.each(all)("container %s", (name, container) => {
  test("has an exact version", () => {
    expect(container.image).toMatch(/^\$\{PARLEY_IMAGE:-parley:local\}$|^[a-z/]+:v?\d+\.\d+\.\d+$/);
  });
  test("is limited in memory, processes and logs", () => {
    expect(container["mem_limit"]).toMatch(/^(\$\{[A-Z]+_MEMORY:-)?\d+[mg]\}?$/);
    expect(container["pids_limit"]).toEqual(expect.any(Number));
    expect(container["logging"]).toEqual({ driver: "json-file", options: { "max-size": "10m", "max-file": "5" } });
    const files = (container["ulimits"] as { nofile?: { hard: number } } | undefined)?.nofile?.hard ?? 0;
    expect(files).toBeLessThanOrEqual(20_000);
  });
  test("publishes a port only if users connect to it", () => {
    const published = { proxy: 2, embedded: 1, grafana: 1 }[name] ?? 0;
    expect(container.ports ?? []).toHaveLength(published);
    if (name === "grafana") expect(container.ports![0]).toMatch(/^127\.0\.0\.1:/);
  });
  test("has no secret in plain text", () => {
    const environment = Object.entries(container.environment ?? {});
    const secret = Object.entries(variables).flatMap(([variable, { isSecret }]) => (isSecret ? [variable] : []));
    // The address of a store is not a secret if it contains no password.
    const clear = environment.filter(([variable, value]) => secret.includes(variable) && /@|cloudinary:/.test(value));
    expect(clear).toEqual([]);
    const suspicious = environment.filter(([variable]) => /SECRET|PASSWORD(?!_COST)|TOKEN|AMQP_URL|REDIS_URL/.test(variable));
    for (const [variable, value] of suspicious) expect(`${variable} ${value}`).toMatch(/_FILE \//);
  });
  test("mounts only files that exist", () => {
    for (const mount of container.volumes ?? []) {
      const [source] = mount.replace(/\$\{\w+:-(.*?)\}/, "$1").split(":") as [string];
      if (source.startsWith("./")) expect(existsSync(join(root, source))).toBe(true);
      else if (!/^[./]/.test(source)) expect(project.volumes).toHaveProperty(source);
    }
  });
});

test("stores are only on the internal network, which has no route out", () => {
  expect(project.networks["inner"]).toEqual({ internal: true });
  for (const name of ["mongo", "rabbitmq", "redis", "prometheus", "chat"]) expect(networksOf(project.services[name]!)).toEqual(["inner"]);
});

test("nodes wait only for their secrets, so that Compose does not give up if a store is unavailable", () => {
  for (const [, { depends_on }] of nodes) expect(depends_on).toEqual({ secrets: { condition: "service_completed_successfully" } });
  for (const [, { depends_on = {} }] of all)
    for (const { condition } of Object.values(depends_on)) expect(condition).not.toBe("service_healthy");
});

test("`docker compose up` starts the mesh, and monitoring and the embedded server only on request", () => {
  const of = (profile: string) => all.filter(([, { profiles = [] }]) => profiles.includes(profile)).map(([name]) => name);
  expect(of("monitoring")).toEqual(["prometheus", "alertmanager", "grafana"]);
  expect(of("embedded")).toEqual(["embedded"]);
  expect(project.services["embedded"]!.depends_on).toBeUndefined();
  expect(all.filter(([, { profiles }]) => profiles === undefined)).toHaveLength(all.length - 4);
});

test(".env.example has the variables of the compose file, with the same defaults, all optional", () => {
  const asked = new Map([...read("docker-compose.yml").matchAll(/\$\{([A-Z_]+):-([^$}]*)/g)].map(([, name, value]) => [name!, value!]));
  const offered = new Map([...read(".env.example").matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
  expect([...offered.keys()].sort()).toEqual([...asked.keys()].sort());
  // Each line is commented out: a copy of the file changes nothing.
  expect(
    read(".env.example")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#")),
  ).toEqual([]);
  for (const [name, value] of offered)
    if (asked.get(name) !== "" && name !== "GATEWAYS") expect([name, value]).toEqual([name, asked.get(name)]);
});

/** Files that operators copy. `!reset` removes what the compose file says. */
const examples = globSync("compose.*.example.yml", { cwd: root }).map(
  (name) => [name, parse(read(name).replaceAll("!reset {}", "null"), { merge: true }) as ComposeFile] as const,
);

test.each(examples)("%s names only existing services, and git ignores its copy and the files that it mounts", (name, { services }) => {
  expect(Object.keys(project.services)).toEqual(expect.arrayContaining(Object.keys(services)));
  const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(":")[0]!));
  const own = [name.replace(".example", ""), ...mounted.map((path) => path.replace("./", ""))];
  const ignored = read(".gitignore").split("\n");
  expect(own.filter((file) => !ignored.includes(file))).toEqual([]);
});

const withOwnStore = examples.filter(([name]) => name.startsWith("compose.own-"));
test.each(withOwnStore)(
  "%s tells each node the store's address, gives it a way there, and leaves nobody waiting for another",
  (_name, own) => {
    const variable = Object.keys(own.services["chat"]!.environment!).find((key) => key.endsWith("_FILE"))!;
    for (const [name] of nodes) {
      const { environment = {}, networks, volumes } = own.services[name] ?? {};
      // The compose file's own address is emptied, and the new one is a mounted file.
      expect({ name, MONGO_URI: environment["MONGO_URI"], networks }).toEqual({ name, MONGO_URI: "", networks: { outside: {} } });
      expect(volumes?.map((volume) => volume.split(":")[1])).toEqual([environment[variable]]);
    }
    const unused = Object.entries(own.services).flatMap(([name, { profiles }]) => (profiles === undefined ? [] : [name]));
    const waiting = all.filter(([, { depends_on = {} }]) => unused.some((name) => name in depends_on)).map(([name]) => name);
    expect(unused.sort()).toEqual(["mongo", "replica-set"]);
    const isReset = (name: string) => "depends_on" in (own.services[name] ?? {});
    expect(waiting.filter((name) => !unused.includes(name) && !isReset(name))).toEqual([]);
  },
);

describe("the Dockerfile", () => {
  const dockerfile = read("Dockerfile");
  const tool = process.env["HADOLINT"] ?? "hadolint";
  const hasTool = spawnSync(tool, ["--version"]).status === 0;
  const needsTool = hasTool || process.env["REQUIRE_INFRA"] === "1" ? test : test.skip;

  needsTool(`pleases hadolint${hasTool ? "" : " (skipped, it needs hadolint on the PATH or named by HADOLINT)"}`, () => {
    const { status, stdout } = spawnSync(tool, [join(root, "Dockerfile")], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
  test("starts from one exact version, pulls no syntax image, and runs as a numeric user", () => {
    const { devDependencies } = JSON.parse(read("package.json")) as { devDependencies: Record<string, string> };
    expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)).toEqual(
      Array.from({ length: 2 }, () => `node:${devDependencies["node"]!}-bookworm-slim`),
    );
    expect(dockerfile).not.toMatch(/^#\s*syntax/im);
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });
  test("needs no shell at run time", () => {
    expect(dockerfile).toMatch(/^CMD \["node", /m);
    expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["node", /m);
  });
  test("copies only named files, so that the image contains no data and no secrets", () => {
    const lines = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines[0]).toBe("*");
    const named = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    for (const path of named) expect(existsSync(join(root, path))).toBe(true);
    // The other lines only exclude parts of a named folder.
    for (const line of lines.slice(1)) expect(line.startsWith("!") || named.some((folder) => line.startsWith(`${folder}/`))).toBe(true);
  });
});
