/** Rules about the network: Services, network policies and the Ingress; and that everything a manifest refers to exists. */
import {
  environmentOf,
  hasPort,
  named,
  nodeContainer,
  nodesOf,
  ofKind,
  podsOf,
  selects,
  type KubernetesLabels,
  type KubernetesManifest,
  type NetworkPolicy,
  type Pod,
} from "./manifest.ts";
import { unless, type ManifestRule } from "./rule.ts";

const matching = (manifests: readonly KubernetesManifest[], selector: KubernetesLabels | undefined): Pod[] =>
  podsOf(manifests).filter(({ labels }) => selects(selector, labels));
const isNode = ({ of }: Pod) => of.startsWith("Deployment ");

/** Policies that allow ingress to the pod. */
const opening = (manifests: readonly KubernetesManifest[], { labels }: Pod): NetworkPolicy[] =>
  ofKind(manifests, "NetworkPolicy").filter(({ spec }) => selects(spec.podSelector.matchLabels, labels) && (spec.ingress ?? []).length > 0);
const isClosed = (manifests: readonly KubernetesManifest[], { labels }: Pod, type: string): boolean =>
  ofKind(manifests, "NetworkPolicy").some(({ spec }) => selects(spec.podSelector.matchLabels, labels) && spec.policyTypes.includes(type));

export const networkRules: readonly ManifestRule[] = [
  {
    title: "a Service leads to the pods of one workload, at a port that they have",
    violations: (manifests) =>
      ofKind(manifests, "Service").flatMap(({ metadata, spec }) => {
        const pods = matching(manifests, spec.selector);
        return [
          ...(pods.length === 1 ? [] : [`${metadata.name} leads to ${pods.length} kinds of pods`]),
          ...unless(
            spec.ports,
            ({ port, targetPort = port }) => pods.every((pod) => hasPort(pod, targetPort)),
            ({ name }) => `${metadata.name} leads to no port ${name}`,
          ),
        ];
      }),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "Service"), "gateway").spec.ports[0]!.targetPort = 80;
    },
  },
  {
    title: "requests from one address reach one gateway",
    violations: (manifests) => [
      ...(named(ofKind(manifests, "Service"), "gateway").spec.sessionAffinity === "ClientIP"
        ? []
        : ["the Service has no session affinity"]),
      ...unless(
        ofKind(manifests, "Ingress"),
        ({ metadata }) => metadata.annotations?.["haproxy.org/load-balance"] === "source",
        () => "the Ingress does not balance by source",
      ),
    ],
    breakingChange: (manifests) => {
      named(ofKind(manifests, "Service"), "gateway").spec.sessionAffinity = "None";
    },
  },
  {
    title: "every pod has ingress only as a policy allows, and Parley's pods also egress",
    violations: (manifests) => [
      ...unless(
        podsOf(manifests),
        (pod) => isClosed(manifests, pod, "Ingress"),
        ({ of }) => `anything reaches ${of}`,
      ),
      ...unless(
        podsOf(manifests).filter(isNode),
        (pod) => isClosed(manifests, pod, "Egress"),
        ({ of }) => `${of} reaches anything`,
      ),
    ],
    breakingChange: (manifests) => {
      named(ofKind(manifests, "NetworkPolicy"), "deny-all").spec.podSelector.matchLabels = { "app.kubernetes.io/name": "parly" };
      named(ofKind(manifests, "NetworkPolicy"), "to-dns-and-stores").spec.policyTypes = [];
    },
  },
  {
    title: "only gateways accept requests from outside, and other nodes only those of Prometheus on the admin port",
    violations: (manifests) =>
      podsOf(manifests)
        .filter(isNode)
        .flatMap((pod) =>
          opening(manifests, pod).flatMap(({ metadata, spec }) =>
            unless(
              spec.ingress ?? [],
              ({ from = [], ports = [] }) =>
                ports.length === 1 &&
                ports.every(
                  ({ port }) =>
                    hasPort(pod, port) && ((port === "admin" && from.length > 0) || (port === "http" && pod.of === "Deployment gateway")),
                ),
              () => `${metadata.name} allows more ingress to ${pod.of}`,
            ),
          ),
        ),
    breakingChange: (manifests) => {
      delete named(ofKind(manifests, "NetworkPolicy"), "to-gateway").spec.podSelector.matchLabels!["app.kubernetes.io/component"];
    },
  },
  {
    title: "every policy selects existing pods",
    violations: (manifests) =>
      ofKind(manifests, "NetworkPolicy").flatMap(({ metadata, spec }) => {
        const within = [...(spec.ingress ?? []).flatMap(({ from = [] }) => from), ...(spec.egress ?? []).flatMap(({ to = [] }) => to)]
          .filter(({ namespaceSelector }) => namespaceSelector === undefined)
          .map(({ podSelector }) => podSelector?.matchLabels);
        return unless(
          [spec.podSelector.matchLabels, ...within],
          (selector) => matching(manifests, selector).length > 0,
          () => `${metadata.name} selects nothing`,
        );
      }),
    breakingChange: (manifests) => {
      named(ofKind(manifests, "NetworkPolicy"), "to-gateway").spec.podSelector.matchLabels!["app.kubernetes.io/component"] = "gate";
    },
  },
  {
    title: "the Ingress serves PUBLIC_URL over TLS, and leads to a port of the gateway's Service",
    violations: (manifests) =>
      ofKind(manifests, "Ingress").flatMap(({ spec }) => {
        const origin = environmentOf(manifests, nodeContainer(named(nodesOf(manifests), "gateway")))["PUBLIC_URL"];
        const backends = spec.rules.flatMap(({ http }) => http.paths.map(({ backend }) => backend.service));
        const secured = (spec.tls ?? []).flatMap(({ hosts }) => hosts);
        return [
          ...unless(
            spec.rules,
            ({ host }) => secured.includes(host) && origin === `https://${host}`,
            ({ host }) => `${host} is not PUBLIC_URL, or has no TLS`,
          ),
          ...unless(
            backends,
            ({ name, port }) => named(ofKind(manifests, "Service"), name).spec.ports.some((known) => known.name === port.name),
            ({ name }) => `${name} has no such port`,
          ),
        ];
      }),
    breakingChange: (manifests) => {
      ofKind(manifests, "Ingress")[0]!.spec.tls![0]!.hosts = ["other.example.org"];
    },
  },
  {
    title: "the Prometheus operator finds every node, at a port that it has",
    violations: (manifests) =>
      ofKind(manifests, "PodMonitor").flatMap(({ spec }) => {
        const found = matching(manifests, spec.selector.matchLabels).filter(isNode);
        return [
          ...(found.length === nodesOf(manifests).length ? [] : ["it finds not all nodes"]),
          ...unless(
            found,
            (pod) => spec.podMetricsEndpoints.every(({ port, path }) => path === "/metrics" && hasPort(pod, port)),
            ({ of }) => `${of} has no such port`,
          ),
        ];
      }),
    breakingChange: (manifests) => {
      ofKind(manifests, "PodMonitor")[0]!.spec.podMetricsEndpoints[0]!.port = "metrics";
    },
  },
  {
    title: "every volume, ConfigMap and claim that a pod uses exists, and everything is in one namespace",
    violations: (manifests) => {
      const maps = ofKind(manifests, "ConfigMap").map(({ metadata }) => metadata.name);
      const claims = ofKind(manifests, "PersistentVolumeClaim").map(({ metadata }) => metadata.name);
      return [
        ...podsOf(manifests).flatMap(({ of, spec, claims: podClaims }) => [
          ...unless(
            spec.volumes ?? [],
            ({ configMap, persistentVolumeClaim: claim }) =>
              (configMap === undefined || maps.includes(configMap.name)) && (claim === undefined || claims.includes(claim.claimName)),
            ({ name }) => `${of}: there is nothing to mount as ${name}`,
          ),
          ...unless(
            spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts),
            ({ name }) => [...(spec.volumes ?? []).map((volume) => volume.name), ...podClaims].includes(name),
            ({ name }) => `${of}: there is no volume ${name}`,
          ),
        ]),
        ...unless(
          manifests.filter(({ kind }) => kind !== "Namespace"),
          ({ metadata }) => metadata.namespace === "parley",
          ({ kind, metadata }) => `${kind} ${metadata.name} is in another namespace`,
        ),
      ];
    },
    breakingChange: (manifests) => {
      named(nodesOf(manifests), "chat").metadata.namespace = "default";
    },
  },
];
