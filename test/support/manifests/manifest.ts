/** Rendered Kubernetes manifests as far as the rules look at them, and how to walk them. */
import { parseAllDocuments } from "yaml";

export type Labels = Record<string, string>;

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels };
}
export interface Probe {
  httpGet?: { path: string; port: string | number };
  periodSeconds: number;
  failureThreshold: number;
}
export interface Container {
  name: string;
  image: string;
  command?: string[];
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  envFrom?: { configMapRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  resources?: { requests?: Labels; limits?: Labels };
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
  topologySpreadConstraints?: { topologyKey: string; labelSelector: { matchLabels: Labels }; matchLabelKeys?: string[] }[];
  initContainers?: Container[];
  containers: Container[];
  volumes?: Volume[];
}
export interface PodTemplate {
  metadata?: { labels?: Labels };
  spec: PodSpec;
}
/** A Deployment, StatefulSet or Job. */
export interface Workload extends Manifest {
  spec: {
    replicas?: number;
    selector?: { matchLabels: Labels };
    strategy?: { type: string; rollingUpdate?: { maxUnavailable: number; maxSurge: number } };
    template: PodTemplate;
    volumeClaimTemplates?: Manifest[];
  };
}
export interface CronJob extends Manifest {
  spec: { jobTemplate: { spec: { template: PodTemplate } } };
}
export interface DisruptionBudget extends Manifest {
  spec: { maxUnavailable?: number; selector: { matchLabels: Labels } };
}
export interface Autoscaler extends Manifest {
  spec: {
    scaleTargetRef: { kind: string; name: string };
    minReplicas: number;
    maxReplicas: number;
    metrics: { resource: { name: string } }[];
    behavior?: { scaleDown?: { stabilizationWindowSeconds?: number; policies?: { type: string; value: number; periodSeconds: number }[] } };
  };
}
export interface Service extends Manifest {
  spec: { selector: Labels; ports: { name: string; port: number; targetPort?: string | number }[]; sessionAffinity?: string };
}
interface Peer {
  podSelector?: { matchLabels?: Labels };
  namespaceSelector?: { matchLabels?: Labels };
}
export interface NetworkPolicy extends Manifest {
  spec: {
    podSelector: { matchLabels?: Labels };
    policyTypes: string[];
    ingress?: { from?: Peer[]; ports?: { port: string | number }[] }[];
    egress?: { to?: Peer[]; ports?: { port: string | number }[] }[];
  };
}
export interface Ingress extends Manifest {
  spec: {
    tls?: { hosts: string[]; secretName: string }[];
    rules: { host: string; http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] } }[];
  };
}
export interface ConfigMap extends Manifest {
  data: Labels;
}
export interface ServiceAccount extends Manifest {
  automountServiceAccountToken?: boolean;
}
export interface PodMonitor extends Manifest {
  spec: {
    selector: { matchLabels: Labels };
    jobLabel: string;
    podMetricsEndpoints: { port: string; path: string; relabelings: { targetLabel: string }[] }[];
  };
}
export interface RuleResource extends Manifest {
  spec: { groups: unknown[] };
}

interface Kinds {
  Deployment: Workload;
  StatefulSet: Workload;
  Job: Workload;
  CronJob: CronJob;
  PodDisruptionBudget: DisruptionBudget;
  HorizontalPodAutoscaler: Autoscaler;
  Service: Service;
  NetworkPolicy: NetworkPolicy;
  Ingress: Ingress;
  ConfigMap: ConfigMap;
  ServiceAccount: ServiceAccount;
  PodMonitor: PodMonitor;
  PrometheusRule: RuleResource;
  PersistentVolumeClaim: Manifest;
  Secret: Manifest;
}

/** The documents of a rendered stream. */
export const parseManifests = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS() as Manifest);

export const ofKind = <K extends keyof Kinds>(manifests: readonly Manifest[], kind: K): Kinds[K][] =>
  manifests.filter((manifest): manifest is Kinds[K] => manifest.kind === kind);

export const named = <T extends Manifest>(manifests: readonly T[], name: string): T => {
  const found = manifests.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${name} among ${manifests.map(({ metadata }) => metadata.name).join(", ")}`);
  return found;
};

export interface Pod {
  /** Kind and name of what makes it, e.g. `Deployment chat`. */
  readonly of: string;
  readonly labels: Labels;
  readonly spec: PodSpec;
  /** Volumes that a StatefulSet claims for each pod. */
  readonly claims: readonly string[];
}
const pod = ({ kind, metadata }: Manifest, template: PodTemplate, claims: readonly Manifest[] = []): Pod => ({
  of: `${kind} ${metadata.name}`,
  labels: template.metadata?.labels ?? {},
  spec: template.spec,
  claims: claims.map((claim) => claim.metadata.name),
});

/** Every pod that the manifests make. */
export function podsOf(manifests: readonly Manifest[]): Pod[] {
  const workloads = (["Deployment", "StatefulSet", "Job"] as const).flatMap((kind) => ofKind(manifests, kind));
  return [
    ...workloads.map((workload) => pod(workload, workload.spec.template, workload.spec.volumeClaimTemplates)),
    ...ofKind(manifests, "CronJob").map((job) => pod(job, job.spec.jobTemplate.spec.template)),
  ];
}

export const containersOf = ({ spec }: Pod): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

/** Those that run Parley's image, whatever registry it comes from. */
export const isParley = ({ image }: Container): boolean => /(^|\/)parley:/.test(image);

/** The Deployments: a service's nodes. */
export const nodesOf = (manifests: readonly Manifest[]): Workload[] => ofKind(manifests, "Deployment");

export const nodeContainer = ({ spec, metadata }: Workload): Container => {
  const [container, ...others] = spec.template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error(`${metadata.name} has not just one container`);
  return container;
};

/** All that a container's environment says in clear, its ConfigMaps included. */
export function environmentOf(manifests: readonly Manifest[], { env = [], envFrom = [] }: Container): Labels {
  const maps = envFrom.map(({ configMapRef }) => named(ofKind(manifests, "ConfigMap"), configMapRef?.name ?? "").data);
  return Object.assign({}, ...maps, Object.fromEntries(env.map(({ name, value }) => [name, value ?? ""]))) as Labels;
}

export const selects = (selector: Labels | undefined, labels: Labels): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);

/** Whether a container of the pod has a port of this name or number. */
export const hasPort = ({ spec }: Pod, port: string | number): boolean =>
  spec.containers.some(({ ports = [] }) => ports.some(({ name, containerPort }) => name === port || containerPort === port));

/** Bytes of a quantity such as `600Mi`. */
export function bytesOf(quantity: string | undefined): number {
  const [, number, unit = ""] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity ?? "") ?? [];
  const power = ["", "Ki", "Mi", "Gi"].indexOf(unit);
  return Number(number) * 1024 ** power;
}
