/** Types of the fields of Kubernetes manifests that the rules look at, and functions to find pods, containers and ports in them. */
import { parseAllDocuments } from "yaml";

export type KubernetesLabels = Record<string, string>;

export interface KubernetesManifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: KubernetesLabels; annotations?: KubernetesLabels };
}
export interface Probe {
  httpGet?: { path: string; port: string | number };
  periodSeconds: number;
  failureThreshold: number;
}
export interface PodContainer {
  name: string;
  image: string;
  command?: string[];
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  envFrom?: { configMapRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  resources?: { requests?: KubernetesLabels; limits?: KubernetesLabels };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[]; add?: string[] };
  };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}
export interface Volume {
  name: string;
  emptyDir?: { sizeLimit?: string; medium?: string };
  secret?: { secretName: string; defaultMode?: number };
  configMap?: { name: string };
  persistentVolumeClaim?: { claimName: string };
  hostPath?: unknown;
}
export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  hostNetwork?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  topologySpreadConstraints?: { topologyKey: string; labelSelector: { matchLabels: KubernetesLabels }; matchLabelKeys?: string[] }[];
  initContainers?: PodContainer[];
  containers: PodContainer[];
  volumes?: Volume[];
}
export interface PodTemplate {
  metadata?: { labels?: KubernetesLabels };
  spec: PodSpec;
}
/** A Deployment, StatefulSet or Job. */
export interface Workload extends KubernetesManifest {
  spec: {
    replicas?: number;
    selector?: { matchLabels: KubernetesLabels };
    strategy?: { type: string; rollingUpdate?: { maxUnavailable: number; maxSurge: number } };
    template: PodTemplate;
    volumeClaimTemplates?: KubernetesManifest[];
  };
}
export interface CronJob extends KubernetesManifest {
  spec: { jobTemplate: { spec: { template: PodTemplate } } };
}
export interface DisruptionBudget extends KubernetesManifest {
  spec: { maxUnavailable?: number; selector: { matchLabels: KubernetesLabels } };
}
export interface Autoscaler extends KubernetesManifest {
  spec: {
    scaleTargetRef: { kind: string; name: string };
    minReplicas: number;
    maxReplicas: number;
    metrics: { resource: { name: string } }[];
    behavior?: { scaleDown?: { stabilizationWindowSeconds?: number; policies?: { type: string; value: number; periodSeconds: number }[] } };
  };
}
export interface KubernetesService extends KubernetesManifest {
  spec: { selector: KubernetesLabels; ports: { name: string; port: number; targetPort?: string | number }[]; sessionAffinity?: string };
}
interface NetworkPolicyPeer {
  podSelector?: { matchLabels?: KubernetesLabels };
  namespaceSelector?: { matchLabels?: KubernetesLabels };
}
export interface NetworkPolicy extends KubernetesManifest {
  spec: {
    podSelector: { matchLabels?: KubernetesLabels };
    policyTypes: string[];
    ingress?: { from?: NetworkPolicyPeer[]; ports?: { port: string | number }[] }[];
    egress?: { to?: NetworkPolicyPeer[]; ports?: { port: string | number }[] }[];
  };
}
export interface Ingress extends KubernetesManifest {
  spec: {
    tls?: { hosts: string[]; secretName: string }[];
    rules: { host: string; http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] } }[];
  };
}
export interface ConfigMap extends KubernetesManifest {
  data: KubernetesLabels;
}
export interface ServiceAccount extends KubernetesManifest {
  automountServiceAccountToken?: boolean;
}
export interface PodMonitor extends KubernetesManifest {
  spec: {
    selector: { matchLabels: KubernetesLabels };
    jobLabel: string;
    podMetricsEndpoints: { port: string; path: string; relabelings: { targetLabel: string }[] }[];
  };
}
export interface RuleResource extends KubernetesManifest {
  spec: { groups: unknown[] };
}

interface KubernetesKinds {
  Deployment: Workload;
  StatefulSet: Workload;
  Job: Workload;
  CronJob: CronJob;
  PodDisruptionBudget: DisruptionBudget;
  HorizontalPodAutoscaler: Autoscaler;
  Service: KubernetesService;
  NetworkPolicy: NetworkPolicy;
  Ingress: Ingress;
  ConfigMap: ConfigMap;
  ServiceAccount: ServiceAccount;
  PodMonitor: PodMonitor;
  PrometheusRule: RuleResource;
  PersistentVolumeClaim: KubernetesManifest;
  Secret: KubernetesManifest;
}

/** The documents of a rendered stream. */
export const parseManifests = (text: string): KubernetesManifest[] =>
  parseAllDocuments(text).map((document) => document.toJS() as KubernetesManifest);

export const ofKind = <K extends keyof KubernetesKinds>(manifests: readonly KubernetesManifest[], kind: K): KubernetesKinds[K][] =>
  manifests.filter((manifest): manifest is KubernetesKinds[K] => manifest.kind === kind);

export const named = <T extends KubernetesManifest>(manifests: readonly T[], name: string): T => {
  const found = manifests.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${name} among ${manifests.map(({ metadata }) => metadata.name).join(", ")}`);
  return found;
};

export interface Pod {
  /** Kind and name of the manifest that creates it, such as `Deployment chat`. */
  readonly of: string;
  readonly labels: KubernetesLabels;
  readonly spec: PodSpec;
  /** Volumes that a StatefulSet claims for each pod. */
  readonly claims: readonly string[];
}
const pod = ({ kind, metadata }: KubernetesManifest, template: PodTemplate, claims: readonly KubernetesManifest[] = []): Pod => ({
  of: `${kind} ${metadata.name}`,
  labels: template.metadata?.labels ?? {},
  spec: template.spec,
  claims: claims.map((claim) => claim.metadata.name),
});

/** Every pod that the manifests create. */
export function podsOf(manifests: readonly KubernetesManifest[]): Pod[] {
  const workloads = (["Deployment", "StatefulSet", "Job"] as const).flatMap((kind) => ofKind(manifests, kind));
  return [
    ...workloads.map((workload) => pod(workload, workload.spec.template, workload.spec.volumeClaimTemplates)),
    ...ofKind(manifests, "CronJob").map((job) => pod(job, job.spec.jobTemplate.spec.template)),
  ];
}

export const containersOf = ({ spec }: Pod): PodContainer[] => [...(spec.initContainers ?? []), ...spec.containers];

/** Whether a container runs Parley's image, from any registry. */
export const isParley = ({ image }: PodContainer): boolean => /(^|\/)parley:/.test(image);

/** The Deployments. Each runs the nodes of a service. */
export const nodesOf = (manifests: readonly KubernetesManifest[]): Workload[] => ofKind(manifests, "Deployment");

export const nodeContainer = ({ spec, metadata }: Workload): PodContainer => {
  const [container, ...others] = spec.template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error(`${metadata.name} does not have exactly one container`);
  return container;
};

/** A container's environment variables that have plain values, including those from ConfigMaps. */
export function environmentOf(manifests: readonly KubernetesManifest[], { env = [], envFrom = [] }: PodContainer): KubernetesLabels {
  const maps = envFrom.map(({ configMapRef }) => named(ofKind(manifests, "ConfigMap"), configMapRef?.name ?? "").data);
  return Object.assign({}, ...maps, Object.fromEntries(env.map(({ name, value }) => [name, value ?? ""]))) as KubernetesLabels;
}

export const selects = (selector: KubernetesLabels | undefined, labels: KubernetesLabels): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);

/** Whether a container of the pod has a port with this name or number. */
export const hasPort = ({ spec }: Pod, port: string | number): boolean =>
  spec.containers.some(({ ports = [] }) => ports.some(({ name, containerPort }) => name === port || containerPort === port));

/** Bytes of a quantity such as `600Mi`. */
export function bytesOf(quantity: string | undefined): number {
  const [, number, unit = ""] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity ?? "") ?? [];
  const power = ["", "Ki", "Mi", "Gi"].indexOf(unit);
  return Number(number) * 1024 ** power;
}
