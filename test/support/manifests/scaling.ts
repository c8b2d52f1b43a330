/** Rules about how many pods of a service run, where they run, and how they are replaced. */
import { serviceNames } from "../../../core/service-names.ts";
import {
  environmentOf,
  named,
  nodeContainer,
  nodesOf,
  ofKind,
  selects,
  type Autoscaler,
  type KubernetesManifest,
  type Workload,
} from "./manifest.ts";
import { unless, type ManifestRule } from "./rule.ts";

const chat = (manifests: KubernetesManifest[]): Workload => named(nodesOf(manifests), "chat");
const autoscalerOf = (manifests: readonly KubernetesManifest[], { kind, metadata }: KubernetesManifest): Autoscaler | undefined =>
  ofKind(manifests, "HorizontalPodAutoscaler").find(
    ({ spec: { scaleTargetRef } }) => scaleTargetRef.kind === kind && scaleTargetRef.name === metadata.name,
  );
const nameOf = ({ metadata }: KubernetesManifest) => metadata.name;

/** Rules of every overlay. */
export const scalingRules: readonly ManifestRule[] = [
  {
    title: "each service has one Deployment, named after it",
    violations: (manifests) => {
      const running = nodesOf(manifests).map((node) => environmentOf(manifests, nodeContainer(node))["SERVICES"] ?? "all");
      return [
        ...unless(
          serviceNames,
          (name) => running.filter((service) => service === name).length === 1,
          (name) => `${name} does not have exactly one`,
        ),
        ...unless(
          nodesOf(manifests),
          (node) => environmentOf(manifests, nodeContainer(node))["SERVICES"] === nameOf(node),
          (node) => `${nameOf(node)} is not named after what it runs`,
        ),
      ];
    },
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).env!.find(({ name }) => name === "SERVICES")!.value = "chat,media";
    },
  },
  {
    title: "at most one pod of a service is evicted at a time",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec: { template } }) => {
          const budgets = ofKind(manifests, "PodDisruptionBudget").filter(({ spec }) =>
            selects(spec.selector.matchLabels, template.metadata?.labels ?? {}),
          );
          return budgets.length === 1 && budgets[0]?.spec.maxUnavailable === 1;
        },
        (node) => `${nameOf(node)} does not have exactly one budget of one pod`,
      ),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "PodDisruptionBudget"), "chat").spec.selector.matchLabels["app.kubernetes.io/component"] = "media";
    },
  },
  {
    title: "a new pod is ready before an old one is stopped",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec: { strategy } }) =>
          strategy?.type === "RollingUpdate" && strategy.rollingUpdate?.maxUnavailable === 0 && strategy.rollingUpdate.maxSurge > 0,
        (node) => `${nameOf(node)} is replaced in another way`,
      ),
    breakingChange: (manifests) => {
      chat(manifests).spec.strategy!.rollingUpdate!.maxUnavailable = 1;
    },
  },
  {
    title: "the pods of a service spread over machines and zones",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec: { template } }) => {
          const { topologySpreadConstraints: constraints = [] } = template.spec;
          return (
            constraints.map(({ topologyKey }) => topologyKey).join(" ") === "kubernetes.io/hostname topology.kubernetes.io/zone" &&
            constraints.every(
              ({ labelSelector, matchLabelKeys = [] }) =>
                selects(labelSelector.matchLabels, template.metadata?.labels ?? {}) &&
                matchLabelKeys.includes("app.kubernetes.io/component") &&
                template.metadata?.labels?.["app.kubernetes.io/component"] !== undefined,
            )
          );
        },
        (node) => `${nameOf(node)} does not spread`,
      ),
    breakingChange: (manifests) => {
      chat(manifests).spec.template.spec.topologySpreadConstraints!.pop();
    },
  },
  {
    title: "a Deployment selects its own pods and no others",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec }) =>
          nodesOf(manifests).filter((other) => selects(spec.selector?.matchLabels, other.spec.template.metadata?.labels ?? {})).length ===
          1,
        (node) => `${nameOf(node)} selects none or others`,
      ),
    breakingChange: (manifests) => {
      delete chat(manifests).spec.selector!.matchLabels["app.kubernetes.io/component"];
    },
  },
];

/** Rules of the overlays with autoscalers: all but `small` and those that build on it. */
export const autoscalingRules: readonly ManifestRule[] = [
  {
    title: "every service but admin scales by CPU, from at least two pods",
    violations: (manifests) =>
      unless(
        nodesOf(manifests).filter((node) => nameOf(node) !== "admin"),
        (node) => {
          const spec = autoscalerOf(manifests, node)?.spec;
          return (
            spec !== undefined && spec.metrics[0]?.resource.name === "cpu" && spec.minReplicas >= 2 && spec.maxReplicas > spec.minReplicas
          );
        },
        (node) => `${nameOf(node)} does not scale so`,
      ),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "HorizontalPodAutoscaler"), "chat").spec.scaleTargetRef.name = "chats";
    },
  },
  {
    title: "a Deployment with an autoscaler sets no replicas, so that an apply does not undo the autoscaler",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        (node) => node.spec.replicas === undefined || autoscalerOf(manifests, node) === undefined,
        (node) => `${nameOf(node)} has both replicas and an autoscaler`,
      ),
    breakingChange: (manifests) => {
      chat(manifests).spec.replicas = 2;
    },
  },
  {
    title: "gateways scale down slowly: after ten quiet minutes, one pod a minute",
    violations: (manifests) => {
      const gateway = named(nodesOf(manifests), "gateway");
      const { stabilizationWindowSeconds, policies = [] } = autoscalerOf(manifests, gateway)?.spec.behavior?.scaleDown ?? {};
      const isSlow =
        policies.length > 0 && policies.every(({ type, value, periodSeconds }) => type === "Pods" && value / periodSeconds <= 1 / 60);
      return stabilizationWindowSeconds === 600 && isSlow ? [] : ["gateways scale down in another way"];
    },
    breakingChange: (manifests) => {
      named(ofKind(manifests, "HorizontalPodAutoscaler"), "gateway").spec.behavior!.scaleDown!.policies![0]!.value = 2;
    },
  },
];
