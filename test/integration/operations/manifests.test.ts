/**
 * Checks the Kubernetes manifests that kustomize renders against the schemas of two versions of Kubernetes and against our own rules.
 * Nothing is deployed to a cluster.
 */
import { globSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { serviceNames } from "../../../core/service-names.ts";
import { alertsPath, prometheusRule } from "../../../scripts/generate/prometheus-rule.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import {
  containersOf,
  named,
  nodesOf,
  ofKind,
  parseManifests,
  podsOf,
  type KubernetesManifest,
  type PodMonitor,
} from "../../support/manifests/manifest.ts";
import { networkRules } from "../../support/manifests/network.ts";
import { podRules, programVersion } from "../../support/manifests/pods.ts";
import { render, schemaComplaints } from "../../support/manifests/render.ts";
import { autoscalingRules, scalingRules } from "../../support/manifests/scaling.ts";
import { secretRules } from "../../support/manifests/secrets.ts";

/** The oldest version that the manifests support, and the newest one that has schemas. */
const versions = ["1.29", "1.37"];
const everywhere = [...podRules, ...scalingRules, ...secretRules, ...networkRules];
const scaling = [...everywhere, ...autoscalingRules];
const folders = {
  "k8s/base": scaling,
  "k8s/overlays/production": scaling,
  "k8s/overlays/small": everywhere,
  "k8s/overlays/trial": everywhere,
};
/** Kinds of the Prometheus operator, which Kubernetes has no schemas for. */
const withoutSchema = /Couldn't find schema for kind (PodMonitor|PrometheusRule) /;

describeWith(["kustomize"], "The manifests", () => {
  const rendered = new Map<string, { text: string; manifests: readonly KubernetesManifest[] }>();
  const text = (folder: string) => rendered.get(folder)?.text ?? "";
  /** A copy that the caller may change. */
  const manifests = (folder: string): KubernetesManifest[] => structuredClone([...(rendered.get(folder)?.manifests ?? [])]);
  beforeAll(() => {
    for (const folder of Object.keys(folders)) {
      const text = render(folder);
      rendered.set(folder, { text, manifests: parseManifests(text) });
    }
  });

  test("include every overlay and every component", () => {
    const root = resolve(import.meta.dirname, "../../..");
    expect(Object.keys(folders).slice(1)).toEqual(globSync("k8s/overlays/*", { cwd: root }).sort());
    const used = Object.keys(folders).flatMap((folder) => {
      const { components = [] } = parse(readFileSync(join(root, folder, "kustomization.yaml"), "utf8")) as { components?: string[] };
      return components.map((path) => basename(path));
    });
    const components = globSync("k8s/components/*", { cwd: root }).map((path) => basename(path));
    expect([...new Set(used)].sort()).toEqual(components.sort());
  });

  describe.each(Object.entries(folders))("of %s", (folder, rules) => {
    test.each(rules)("$title", ({ violations }) => {
      expect(violations(manifests(folder))).toEqual([]);
    });
  });

  describe("A manifest with a mistake breaks the rule", () => {
    test.each(scaling)("$title", ({ violations, breakingChange }) => {
      const changed = manifests("k8s/overlays/production");
      breakingChange(changed);
      expect(violations(changed)).not.toEqual([]);
    });
  });

  test("the small overlay has one pod of each service and no autoscaler", () => {
    const small = manifests("k8s/overlays/small");
    expect(small.filter(({ kind }) => kind === "HorizontalPodAutoscaler")).toEqual([]);
    const replicas = small.flatMap((manifest) =>
      manifest.kind === "Deployment" ? [[manifest.metadata.name, (manifest as { spec?: { replicas?: number } }).spec?.replicas]] : [],
    );
    expect(replicas.sort()).toEqual(serviceNames.map((name) => [name, 1]));
  });

  test("the trial overlay has the store images of docker-compose.yml", () => {
    const { services } = parse(readFileSync("docker-compose.yml", "utf8")) as { services: Record<string, { image?: string }> };
    const stores = ["mongo", "rabbitmq", "redis"];
    const tried = podsOf(manifests("k8s/overlays/trial")).flatMap(containersOf);
    expect(stores.map((store) => tried.find(({ name }) => name === store)?.image)).toEqual(stores.map((store) => services[store]?.image));
  });

  test("the alerts and dashboards are those of ops/", () => {
    const production = manifests("k8s/overlays/production");
    expect(readFileSync(alertsPath, "utf8")).toBe(prometheusRule());
    expect(ofKind(production, "PrometheusRule").flatMap(({ spec }) => spec.groups).length).toBeGreaterThan(0);
    const dashboards = globSync("ops/grafana/dashboards/*.json").map((path) => [basename(path), readFileSync(path, "utf8")] as const);
    expect(named(ofKind(production, "ConfigMap"), "parley-dashboards").data).toEqual(Object.fromEntries(dashboards));
  });

  test("the Prometheus operator sets the same labels as Prometheus does in Compose", () => {
    const { scrape_configs: scraped } = parse(readFileSync("ops/prometheus/prometheus.yml", "utf8")) as {
      scrape_configs: { job_name: string; relabel_configs?: { target_label: string }[] }[];
    };
    const { job_name: job, relabel_configs: relabelled = [] } = scraped[0]!;
    const [{ spec }] = ofKind(manifests("k8s/overlays/production"), "PodMonitor") as [PodMonitor];
    const nodes = nodesOf(manifests("k8s/overlays/production"));
    expect(new Set(nodes.map((node) => node.spec.template.metadata?.labels?.[spec.jobLabel]))).toEqual(new Set([job]));
    expect(spec.podMetricsEndpoints.flatMap(({ relabelings }) => relabelings.map(({ targetLabel }) => targetLabel))).toEqual(
      relabelled.map(({ target_label: label }) => label),
    );
  });

  test("the README's example of a custom overlay sets the image and the host", () => {
    const [, example = ""] = /```yaml\n(.*?)```/s.exec(readFileSync("k8s/README.md", "utf8")) ?? [];
    const folder = mkdtempSync(join(tmpdir(), "parley-overlay-"));
    try {
      writeFileSync(join(folder, "kustomization.yaml"), example.replace("../parley/k8s", relative(realpathSync(folder), resolve("k8s"))));
      const custom = parseManifests(render(folder));
      for (const { violations } of networkRules) expect(violations(custom)).toEqual([]);
      expect(ofKind(custom, "Ingress").flatMap(({ spec }) => spec.rules.map(({ host }) => host))).toEqual(["chat.your-domain.example"]);
      expect(
        new Set(
          podsOf(custom)
            .flatMap(containersOf)
            .map(({ image }) => image),
        ),
      ).toEqual(new Set([`your.registry/parley:${programVersion}`]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  describeWith(["schemas"], "By the schemas of Kubernetes", () => {
    test.each(versions.flatMap((version) => Object.keys(folders).map((folder) => ({ version, folder }))))(
      "$folder is valid in version $version",
      ({ version, folder }) => {
        expect(schemaComplaints(text(folder), version).filter((line) => !withoutSchema.test(line))).toEqual([]);
      },
    );

    test.each(versions)("a misspelt field and a misspelt kind are invalid in version %s", (version) => {
      const base = text("k8s/base");
      expect(schemaComplaints(base.replace("minReadySeconds", "minReadySecond"), version).join()).toContain("minReadySecond");
      expect(schemaComplaints(base.replace("kind: Service\n", "kind: Servis\n"), version).join()).toContain("Servis");
    });
  });
});
