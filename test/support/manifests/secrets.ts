/** Rules about configuration: every variable is one of Parley's, and no manifest contains a secret. */
import { readConfig, variables } from "../../../core/config/config.ts";
import {
  containersOf,
  environmentOf,
  isParley,
  named,
  nodeContainer,
  nodesOf,
  ofKind,
  podsOf,
  type PodContainer,
  type KubernetesManifest,
  type Pod,
} from "./manifest.ts";
import { unless, type ManifestRule } from "./rule.ts";

const secretNames = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [name] : []));
const known = new Set([...Object.keys(variables), ...secretNames.map((name) => `${name}_FILE`)]);
/** Example values of the secrets that a node can't start without. */
const examples = {
  AMQP_URL: "amqp://rabbitmq",
  REDIS_URL: "redis://redis",
  MONGO_URI: "mongodb://mongo/?replicaSet=rs0",
  JWT_SECRET: "an example of 32 characters or more",
};

const parleyContainers = (manifests: readonly KubernetesManifest[]): { pod: Pod; container: PodContainer }[] =>
  podsOf(manifests).flatMap((pod) =>
    containersOf(pod)
      .filter(isParley)
      .map((container) => ({ pod, container })),
  );

/** Parley's own errors about an environment, with example values in place of the secret files. */
function complaints(environment: Record<string, string>): string[] {
  const plain = Object.entries(environment).filter(([name]) => !name.endsWith("_FILE"));
  const given = Object.entries(examples).filter(([name]) => (environment[`${name}_FILE`] ?? "") !== "");
  try {
    const { mesh, JWT_SECRET } = readConfig(Object.fromEntries([...plain, ...given]));
    return mesh === undefined || JWT_SECRET === undefined ? ["no mesh"] : [];
  } catch (error) {
    return [(error as Error).message];
  }
}

const strings = (value: unknown): string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : [];
};

export const secretRules: readonly ManifestRule[] = [
  {
    title: "no manifest contains a secret",
    violations: (manifests) => [
      ...ofKind(manifests, "Secret").map(({ metadata }) => `Secret ${metadata.name} is among them`),
      ...podsOf(manifests).flatMap((pod) =>
        containersOf(pod).flatMap((container) =>
          Object.entries(environmentOf(manifests, container))
            .filter(([name, value]) => value !== "" && (secretNames.includes(name) || /(PASSWORD|PASS|SECRET|TOKEN|KEY)$/.test(name)))
            .map(([name]) => `${pod.of}: ${name} has a plain value`),
        ),
      ),
      ...manifests.flatMap((manifest) =>
        strings(manifest)
          .filter((text) => /:\/\/[^/\s:@]*:[^/\s@]+@/.test(text))
          .map(() => `${manifest.kind} ${manifest.metadata.name} holds a URL with a password`),
      ),
    ],
    breakingChange: (manifests) => {
      nodeContainer(named(nodesOf(manifests), "chat")).env!.push({ name: "JWT_SECRET", value: "anything" });
    },
  },
  {
    title: "secrets are files of a separate Secret that their group can read, and all that a mesh needs are there",
    violations: (manifests) =>
      parleyContainers(manifests).flatMap(({ pod, container }) => {
        if (container.env === undefined && container.envFrom === undefined) return [];
        const environment = environmentOf(manifests, container);
        const volume = pod.spec.volumes?.find(({ secret }) => secret?.secretName === "parley");
        const mount = container.volumeMounts?.find(({ name }) => name === volume?.name);
        const files = Object.entries(environment).filter(([name, value]) => name.endsWith("_FILE") && value !== "");
        return [
          ...unless(
            files,
            ([name, path]) => mount?.readOnly === true && path === `${mount.mountPath}/${name.replace(/_FILE$/, "")}`,
            ([name]) => `${pod.of}: ${name} names no file of the Secret`,
          ),
          ...(volume?.secret?.defaultMode === 0o440 ? [] : [`${pod.of}: the files have other rights`]),
          ...complaints(environment).map((complaint) => `${pod.of}: ${complaint}`),
        ];
      }),
    breakingChange: (manifests) => {
      delete ofKind(manifests, "ConfigMap").find(({ data }) => data["AMQP_URL_FILE"] !== undefined)!.data["AMQP_URL_FILE"];
    },
  },
  {
    title: "every variable that is set is one of Parley's",
    violations: (manifests) =>
      parleyContainers(manifests).flatMap(({ pod, container }) =>
        unless(
          Object.keys(environmentOf(manifests, container)),
          (name) => known.has(name),
          (name) => `${pod.of}: ${name} is unknown`,
        ),
      ),
    breakingChange: (manifests) => {
      nodeContainer(named(nodesOf(manifests), "chat")).env!.push({ name: "ADMIN_PROT", value: "3001" });
    },
  },
  {
    title: "no pod gets a token for the Kubernetes API",
    violations: (manifests) => [
      ...unless(
        podsOf(manifests),
        ({ spec }) => spec.automountServiceAccountToken === false,
        ({ of }) => `${of} gets one`,
      ),
      ...unless(
        ofKind(manifests, "ServiceAccount"),
        ({ automountServiceAccountToken }) => automountServiceAccountToken === false,
        ({ metadata }) => `${metadata.name} gives one`,
      ),
      ...unless(
        nodesOf(manifests),
        ({ spec }) => ofKind(manifests, "ServiceAccount").some(({ metadata }) => metadata.name === spec.template.spec.serviceAccountName),
        ({ metadata }) => `${metadata.name} has no account of its own`,
      ),
    ],
    breakingChange: (manifests) => {
      delete named(nodesOf(manifests), "chat").spec.template.spec.automountServiceAccountToken;
    },
  },
];
