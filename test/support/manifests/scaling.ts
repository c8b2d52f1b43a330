/** Rules about how many pods of a service run, where, and how they are exchanged. */
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
    title: "Each service has one Deployment of its own",
    violations: (manifests) => {
      const running = nodesOf(manifests).map((node) => environmentOf(manifests, nodeContainer(node))["SERVICES"] ?? "all");
      return [
        ...unless(
          serviceNames,
          (name) => running.filter((service) => service === name).length === 1,
          (name) => `${name} has not just one`,
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
    title: "At most one pod of a service is taken away on purpose at once",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec: { template } }) => {
          const budgets = ofKind(manifests, "PodDisruptionBudget").filter(({ spec }) =>
            selects(spec.selector.matchLabels, template.metadata?.labels ?? {}),
          );
          return budgets.length === 1 && budgets[0]?.spec.maxUnavailable === 1;
        },
        (node) => `${nameOf(node)} has not just one budget of one pod`,
      ),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "PodDisruptionBudget"), "chat").spec.selector.matchLabels["app.kubernetes.io/component"] = "media";
    },
  },
  {
    title: "A new pod is ready before an old one goes",
    violations: (manifests) =>
      unless(
        nodesOf(manifests),
        ({ spec: { strategy } }) =>
          strategy?.type === "RollingUpdate" && strategy.rollingUpdate?.maxUnavailable === 0 && strategy.rollingUpdate.maxSurge > 0,
        (node) => `${nameOf(node)} is exchanged in another way`,
      ),
    breakingChange: (manifests) => {
      chat(manifests).spec.strategy!.rollingUpdate!.maxUnavailable = 1;
    },
  },
  {
    title: "The pods of a service spread over machines and zones",
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
    title: "A Deployment's selector is its pods' labels, and no other's",
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

/** Rules of the overlays that scale: all but `small` and what builds on it. */
export const autoscalingRules: readonly ManifestRule[] = [
  {
    title: "Every service but admin scales alone on CPU, from two pods up",
    violations: (manifests) =>
      unless(
        nodesOf(manifests).filter((node) => nameOf(node) !== "admin"),
        (node) => {
          const spec = autoscalerOf(manifests, node)?.spec;
          return (
            spec !== undefined && spec.metrics[0]?.resource.name === "cpu" && spec.minReplicas >= 2 && spec.maxReplicas > spec.minReplicas
          );
        },
        (node) => `${nameOf(node)} does not`,
      ),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "HorizontalPodAutoscaler"), "chat").spec.scaleTargetRef.name = "chats";
    },
  },
  {
    title: "What an autoscaler sets, no apply sets back",
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
    title: "Gateways go slowly: after ten quiet minutes, one a minute",
    violations: (manifests) => {
      const gateway = named(nodesOf(manifests), "gateway");
      const { stabilizationWindowSeconds, policies = [] } = autoscalerOf(manifests, gateway)?.spec.behavior?.scaleDown ?? {};
      const isSlow =
        policies.length > 0 && policies.every(({ type, value, periodSeconds }) => type === "Pods" && value / periodSeconds <= 1 / 60);
      return stabilizationWindowSeconds === 600 && isSlow ? [] : ["gateways go faster"];
    },
    breakingChange: (manifests) => {
      named(ofKind(manifests, "HorizontalPodAutoscaler"), "gateway").spec.behavior!.scaleDown!.policies![0]!.value = 2;
    },
  },
];
