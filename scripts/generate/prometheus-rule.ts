/**
 * Writes the alerts of ops/prometheus/rules as a PrometheusRule for the Prometheus Operator. Run by `npm run k8s:rules`. Kustomize can't do
 * this: it reads only files in its own folder, and puts them into ConfigMaps.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";

export const alertsPath = "k8s/components/monitoring/alerts.yaml";

/** The expected text of `alertsPath`. */
export function prometheusRule(): string {
  const groups = globSync("ops/prometheus/rules/*.yml")
    .sort()
    .flatMap((path) => (parse(readFileSync(path, "utf8")) as { groups: unknown[] }).groups);
  const resource = { apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata: { name: "parley" }, spec: { groups } };
  return `# Generated from ops/prometheus/rules by npm run k8s:rules. Change those files instead.\n${stringify(resource, { lineWidth: 0 })}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(alertsPath, prometheusRule());
