/**
 * The Kubernetes manifests as kustomize renders them: strictly by the schemas of two versions of Kubernetes, and by rules of our own.
 * What a cluster makes of them is not tried here.
 */
import { globSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
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

/** The oldest that the manifests are written for, and the newest there are schemas of. */
const versions = ["1.29", "1.37"];
const everywhere = [...podRules, ...scalingRules, ...secretRules, ...networkRules];
const scaling = [...everywhere, ...autoscalingRules];
const folders = {
  "k8s/base": scaling,
  "k8s/overlays/production": scaling,
  "k8s/overlays/small": everywhere,
  "k8s/overlays/trial": everywhere,
};
/** Kinds of Prometheus' operator: no schema of Kubernetes knows them. */
const withoutSchema = /Couldn't find schema for kind (PodMonitor|PrometheusRule) /;

describeWith(["kustomize"], "The manifests", () => {
  const rendered = new Map<string, { text: string; manifests: readonly KubernetesManifest[] }>();
  const text = (folder: string) => rendered.get(folder)?.text ?? "";
  /** Each caller's own. */
  const manifests = (folder: string): KubernetesManifest[] => structuredClone([...(rendered.get(folder)?.manifests ?? [])]);
  beforeAll(() => {
    for (const folder of Object.keys(folders)) {
      const text = render(folder);
      rendered.set(folder, { text, manifests: parseManifests(text) });
    }
  });

  describe.each(Object.entries(folders))("of %s", (folder, rules) => {
    test.each(rules)("$title", ({ violations }) => {
      expect(violations(manifests(folder))).toEqual([]);
    });
  });

  describe("Broken on purpose", () => {
    test.each(scaling)("$title", ({ violations, breakingChange: breaking }) => {
      const changed = manifests("k8s/overlays/production");
      breaking(changed);
      expect(violations(changed)).not.toEqual([]);
    });
  });

  test("The small overlay has one pod of each service, and nothing scales by itself", () => {
    const small = manifests("k8s/overlays/small");
    expect(small.filter(({ kind }) => kind === "HorizontalPodAutoscaler")).toEqual([]);
    const replicas = small.flatMap((manifest) =>
      manifest.kind === "Deployment" ? [(manifest as { spec?: { replicas?: number } }).spec?.replicas] : [],
    );
    expect(replicas).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test("The stores to try it with are those of docker-compose.yml", () => {
    const { services } = parse(readFileSync("docker-compose.yml", "utf8")) as { services: Record<string, { image?: string }> };
    const stores = ["mongo", "rabbitmq", "redis"];
    const tried = podsOf(manifests("k8s/overlays/trial")).flatMap(containersOf);
    expect(stores.map((store) => tried.find(({ name }) => name === store)?.image)).toEqual(stores.map((store) => services[store]?.image));
  });

  test("The alerts are those of ops, and so are the dashboards", () => {
    const production = manifests("k8s/overlays/production");
    expect(readFileSync(alertsPath, "utf8")).toBe(prometheusRule());
    expect(ofKind(production, "PrometheusRule").flatMap(({ spec }) => spec.groups).length).toBeGreaterThan(0);
    const dashboards = globSync("ops/grafana/dashboards/*.json").map((path) => [basename(path), readFileSync(path, "utf8")] as const);
    expect(named(ofKind(production, "ConfigMap"), "parley-dashboards").data).toEqual(Object.fromEntries(dashboards));
  });

  test("Prometheus' operator gives the labels that Prometheus gives in Compose", () => {
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

  test("The README's overlay of one's own gives its image and its host", () => {
    const [, example = ""] = /```yaml\n(.*?)```/s.exec(readFileSync("k8s/README.md", "utf8")) ?? [];
    const folder = mkdtempSync(join(tmpdir(), "parley-overlay-"));
    try {
      writeFileSync(join(folder, "kustomization.yaml"), example.replace("../parley/k8s", relative(realpathSync(folder), resolve("k8s"))));
      const own = parseManifests(render(folder));
      for (const { violations } of networkRules) expect(violations(own)).toEqual([]);
      expect(ofKind(own, "Ingress").flatMap(({ spec }) => spec.rules.map(({ host }) => host))).toEqual(["chat.your-domain.example"]);
      expect(
        new Set(
          podsOf(own)
            .flatMap(containersOf)
            .map(({ image }) => image),
        ),
      ).toEqual(new Set([`your.registry/parley:${programVersion}`]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  describeWith(["schemas"], "Strictly by the schemas of Kubernetes", () => {
    test.each(versions.flatMap((version) => Object.keys(folders).map((folder) => ({ version, folder }))))(
      "$version: $folder",
      ({ version, folder }) => {
        expect(schemaComplaints(text(folder), version).filter((line) => !withoutSchema.test(line))).toEqual([]);
      },
    );

    test.each(versions)("%s refuses a field that is misspelt, and a kind that is", (version) => {
      const base = text("k8s/base");
      expect(schemaComplaints(base.replace("minReadySeconds", "minReadySecond"), version).join()).toContain("minReadySecond");
      expect(schemaComplaints(base.replace("kind: Service\n", "kind: Servis\n"), version).join()).toContain("Servis");
    });
  });
});
