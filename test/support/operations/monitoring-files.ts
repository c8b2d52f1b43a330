/** Reads the files of `ops/` for tests: alerts, recording rules, their test cases, and dashboards. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const ops = fileURLToPath(new URL("../../../ops/", import.meta.url));
const read = (path: string): string => readFileSync(`${ops}${path}`, "utf8");

export interface RuleFileEntry {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
export interface AlertRule extends RuleFileEntry {
  readonly alert: string;
}
export const ruleFiles = readdirSync(`${ops}prometheus/rules`);
export const rules: readonly RuleFileEntry[] = ruleFiles.flatMap((file) =>
  (parse(read(`prometheus/rules/${file}`)) as { groups: { rules: RuleFileEntry[] }[] }).groups.flatMap((group) => group.rules),
);
export const alerts = rules.filter((rule): rule is AlertRule => rule.alert !== undefined);

/**
 * The expression that an alert compares with a number. Unlike the whole alert, it has a result even when nothing is wrong.
 * @throws Error  the alert does not compare one value with one number
 */
export function valueOf({ alert, expr }: AlertRule): string {
  const [, value] = /^([\s\S]+?) [<>] \d+(?:\.\d+)?$/.exec(expr.trim()) ?? [];
  if (value === undefined) throw new Error(`${alert} does not compare one value with one number`);
  return value;
}

export interface AlertTestCase {
  readonly name: string;
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}
export const alertTestCases = (parse(read("prometheus/tests/alerts.yml")) as { tests: readonly AlertTestCase[] }).tests;

interface ComposeNetworks {
  readonly services: Readonly<
    Record<string, { readonly networks?: Readonly<Record<string, { readonly aliases?: readonly string[] } | null>> }>
  >;
}
/** The host names that the compose file's containers have for each other. */
export function composeNames(): string[] {
  const { services } = parse(readFileSync(`${ops}../docker-compose.yml`, "utf8"), { merge: true }) as ComposeNetworks;
  const aliases = Object.values(services).flatMap(({ networks = {} }) =>
    Object.values(networks).flatMap((network) => network?.aliases ?? []),
  );
  return [...Object.keys(services), ...aliases];
}
interface PrometheusConfig {
  readonly scrape_configs: readonly { readonly dns_sd_configs: readonly { readonly names: readonly string[] }[] }[];
}
/** The DNS names by which Prometheus finds nodes. */
export const scrapedNames = (parse(read("prometheus/prometheus.yml")) as PrometheusConfig).scrape_configs.flatMap((job) =>
  job.dns_sd_configs.flatMap(({ names }) => names),
);

export const runbook = read("runbook.md");

interface DashboardPanel {
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string }[];
}
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly DashboardPanel[];
}
export const dashboards = readdirSync(`${ops}grafana/dashboards`).map(
  (file) => JSON.parse(read(`grafana/dashboards/${file}`)) as Dashboard,
);

/** Every query of every dashboard, with its dashboard and panel. */
export const panelQueries = dashboards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => ({ where: `${title}: ${panel.title}`, expr }))),
);
