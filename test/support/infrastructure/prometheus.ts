/** Runs promtool, and starts a Prometheus for one test. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { describe } from "@jest/globals";
import { stringify } from "yaml";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { eventually } from "../eventually.ts";
import { freePort, temporaryFolder } from "../servers/server.ts";

/** Declares tests that need promtool and prometheus. Where these are not installed, the tests are skipped, or fail with REQUIRE_INFRA=1. */
export function describeWithPrometheus(title: string, tests: () => void): void {
  const isThere = ["promtool", "prometheus"].every((program) => spawnSync(program, ["--version"]).status === 0);
  if (isThere || process.env["REQUIRE_INFRA"] === "1") describe(title, tests);
  else describe.skip(`${title} (skipped, it needs promtool and prometheus on the PATH: Debian's package prometheus)`, tests);
}

/** Runs promtool. @returns what it printed, and whether it found no problem */
export function promtool(args: readonly string[], input = ""): { readonly ok: boolean; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (error !== undefined) throw error;
  return { ok: status === 0, said: `${stdout}${stderr}`.trim() };
}

export interface QueriedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}
export interface Prometheus {
  /** @throws Error  Prometheus refuses the query */
  readonly query: (expr: string) => Promise<readonly QueriedSeries[]>;
  readonly stop: () => Promise<void>;
}

/** A rule as it stands in a rule file. */
export type PromRule = { readonly expr: string } & Readonly<Record<string, unknown>>;

/**
 * Starts a Prometheus that scrapes every two seconds.
 * @param targets  hosts with ports, by role
 */
export async function startPrometheus(
  targets: Readonly<Record<string, readonly string[]>>,
  rules: readonly PromRule[],
): Promise<Prometheus> {
  const [folder, port] = [await temporaryFolder(), await freePort()];
  await mkdir(`${folder}/data`);
  await writeFile(`${folder}/rules.yml`, stringify({ groups: [{ name: "parley", rules }] }));
  const scraped = {
    job_name: "parley",
    static_configs: Object.entries(targets).map(([role, hosts]) => ({ targets: hosts, labels: { role } })),
  };
  const config = {
    global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "1s" },
    rule_files: ["rules.yml"],
    scrape_configs: [scraped],
  };
  await writeFile(`${folder}/prometheus.yml`, stringify(config));
  const args = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
  ];
  const child = spawn("prometheus", args, { stdio: ["ignore", "ignore", "inherit"] });
  const forget = cleanUpOnExit(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;

  async function stop(): Promise<void> {
    child.kill("SIGKILL");
    await exited;
    forget();
    await rm(folder, { recursive: true });
  }
  await eventually("Prometheus is ready", async () => (await fetch(`${url}/-/ready`)).ok).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    async query(expr) {
      const answer = await fetch(`${url}/api/v1/query`, { method: "POST", body: new URLSearchParams({ query: expr }) });
      const { status, error, data } = (await answer.json()) as {
        readonly status: string;
        readonly error?: string;
        readonly data: {
          readonly result: readonly { readonly metric: QueriedSeries["metric"]; readonly value: readonly [number, string] }[];
        };
      };
      if (status !== "success") throw new Error(`${expr}: ${error}`);
      return data.result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
    },
    stop,
  };
}
