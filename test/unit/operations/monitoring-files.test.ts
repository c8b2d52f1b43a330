/** Tests that alerts, runbook and dashboards agree, and use metrics that exist. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { declarations } from "../../../core/metrics/declare.ts";
import { loadDeclarations } from "../../../scripts/generate/metrics-table.ts";
import {
  alerts,
  alertTestCases,
  composeNames,
  dashboards,
  ops,
  panelQueries,
  ruleFiles,
  rules,
  runbook,
  scrapedNames,
  valueOf,
} from "../../support/operations/monitoring-files.ts";
import { describeWithPrometheus, promtool } from "../../support/infrastructure/prometheus.ts";

const names = alerts.map(({ alert }) => alert);

test("every alert has a heading in the runbook that it points to, and every heading an alert", () => {
  expect([...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual(names);
  for (const { alert, annotations } of alerts) expect(annotations?.["runbook_url"]).toBe(`runbook.md#${alert.toLowerCase()}`);
});

test("every alert has a case in which it fires, and one in which it does not", () => {
  const tested = alertTestCases.flatMap((each) => each.alert_rule_test);
  const of = (fires: boolean) =>
    tested.filter(({ exp_alerts: expected }) => expected.length > 0 === fires).map(({ alertname }) => alertname);
  expect(of(true)).toEqual(names);
  expect(of(false)).toEqual(names);
});

test("every alert compares one value with one number, and has a severity", () => {
  for (const alert of alerts) {
    expect(valueOf(alert)).not.toBe("");
    expect(["page", "ticket"]).toContain(alert.labels?.["severity"]);
  }
});

test("Prometheus looks for the nodes of the compose file", () => {
  expect(scrapedNames.filter((name) => !composeNames().includes(name))).toEqual([]);
  expect(scrapedNames).toEqual(expect.arrayContaining(["gateway", "chat", "media", "core"]));
});

test("every panel has a description", () => {
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(3);
  const silent = dashboards.flatMap(({ panels }) => panels.filter(({ type, description }) => type !== "row" && (description ?? "") === ""));
  expect(silent).toEqual([]);
});

describe("the metrics that alerts and panels use", () => {
  const queries = [...panelQueries.map(({ expr }) => expr), ...rules.map(({ expr }) => expr)].join("\n");
  beforeAll(() => loadDeclarations());

  test("are measured", () => {
    const measured = new Set(declarations().flatMap(({ name, type }) => (type === "histogram" ? partsOf(name) : [name])));
    expect([...new Set(queries.match(/\bparley_\w+/g))].filter((name) => !measured.has(name))).toEqual([]);
  });
  test("are recorded, and each recorded one is used", () => {
    const recorded = rules.flatMap(({ record }) => record ?? []);
    expect([...new Set(queries.match(/\bparley:[\w:]+/g))].sort()).toEqual(recorded.sort());
  });
});
const partsOf = (histogram: string): string[] => ["bucket", "sum", "count"].map((part) => `${histogram}_${part}`);

describeWithPrometheus("promtool", () => {
  test("accepts the configuration and the rules", () => {
    for (const args of [
      ["config", `${ops}prometheus/prometheus.yml`],
      ["rules", ...ruleFiles.map((file) => `${ops}prometheus/rules/${file}`)],
    ]) {
      const { ok, said } = promtool(["check", ...args]);
      expect(ok ? "" : said).toBe("");
    }
  });
  test("sees every alert fire in its one case and stay quiet in the other", () => {
    const { ok, said } = promtool(["test", "rules", `${ops}prometheus/tests/alerts.yml`]);
    expect(ok ? "" : said).toBe("");
  });
});
