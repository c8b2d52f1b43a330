/** Rules about pods and their containers: probes, rights, resources and images. */
import { existsSync, readFileSync } from "node:fs";
import { maxConcurrentUploads } from "../../../services/gateway/http/request/upload.ts";
import { maxFileBytes } from "../../../services/media/contract.ts";
import {
  bytesOf,
  containersOf,
  environmentOf,
  isParley,
  named,
  nodeContainer,
  nodesOf,
  podsOf,
  type PodContainer,
  type KubernetesManifest,
  type Pod,
  type Workload,
} from "./manifest.ts";
import { unless, type ManifestRule } from "./rule.ts";

export const programVersion = (JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version;

const chat = (manifests: KubernetesManifest[]): Workload => named(nodesOf(manifests), "chat");
const ofPods = (manifests: readonly KubernetesManifest[], fits: (pod: Pod) => boolean, say: string): string[] =>
  unless(podsOf(manifests), fits, ({ of }) => `${of} ${say}`);
const ofContainers = (manifests: readonly KubernetesManifest[], fits: (container: PodContainer) => boolean, say: string): string[] =>
  podsOf(manifests).flatMap((pod) => unless(containersOf(pod), fits, ({ name }) => `${pod.of}: ${name} ${say}`));
const ofNodes = (
  manifests: readonly KubernetesManifest[],
  fits: (container: PodContainer, node: Workload) => boolean,
  say: string,
): string[] =>
  unless(
    nodesOf(manifests),
    (node) => fits(nodeContainer(node), node),
    ({ metadata }) => `${metadata.name} ${say}`,
  );

export const podRules: readonly ManifestRule[] = [
  {
    title: "startup and readiness probes ask /ready, and liveness probes /health, on the admin port",
    violations: (manifests) =>
      ofNodes(
        manifests,
        (container) => {
          const { startupProbe, readinessProbe, livenessProbe, ports = [] } = container;
          const probes = [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet);
          const admin = ports.find(({ name }) => name === "admin")?.containerPort;
          return (
            probes.map((probe) => probe?.path).join(" ") === "/ready /ready /health" &&
            probes.every((probe) => probe?.port === "admin") &&
            String(admin) === environmentOf(manifests, container)["ADMIN_PORT"]
          );
        },
        "has other probes",
      ),
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).livenessProbe!.httpGet!.path = "/ready";
    },
  },
  {
    title: "a node may wait ten minutes for its stores before it is restarted",
    violations: (manifests) =>
      ofNodes(
        manifests,
        ({ startupProbe }) => (startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0) > 600,
        "is restarted too soon",
      ),
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).startupProbe!.failureThreshold = 60;
    },
  },
  {
    title: "a node has time to drain and to stop before it is killed",
    violations: (manifests) =>
      ofNodes(
        manifests,
        (container, { spec }) => {
          const drainMs = Number(environmentOf(manifests, container)["DRAIN_MS"]);
          return drainMs >= 5000 && (spec.template.spec.terminationGracePeriodSeconds ?? 0) * 1000 >= drainMs + 10_000 + 5000;
        },
        "is killed while it stops, or stops before balancers know",
      ),
    breakingChange: (manifests) => {
      chat(manifests).spec.template.spec.terminationGracePeriodSeconds = 20;
    },
  },
  {
    title: "no pod runs as root or may become root (Pod Security: restricted)",
    violations: (manifests) => [
      ...ofPods(
        manifests,
        ({ spec: { securityContext, hostNetwork, volumes = [] } }) =>
          securityContext?.runAsNonRoot === true &&
          (securityContext.runAsUser ?? 0) > 0 &&
          securityContext.seccompProfile?.type === "RuntimeDefault" &&
          hostNetwork !== true &&
          volumes.every(({ hostPath }) => hostPath === undefined),
        "has rights that it does not need",
      ),
      ...ofContainers(
        manifests,
        ({ securityContext }) =>
          securityContext?.allowPrivilegeEscalation === false &&
          securityContext.capabilities?.drop?.join(" ") === "ALL" &&
          securityContext.capabilities.add === undefined,
        "has capabilities that it does not need",
      ),
    ],
    breakingChange: (manifests) => {
      chat(manifests).spec.template.spec.securityContext!.runAsUser = 0;
    },
  },
  {
    title: "Parley's containers can't write to their root file system",
    violations: (manifests) =>
      ofContainers(
        manifests,
        (container) => !isParley(container) || container.securityContext?.readOnlyRootFilesystem === true,
        "can write to its image",
      ),
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).securityContext!.readOnlyRootFilesystem = false;
    },
  },
  {
    title: "every container has a memory limit and resource requests, and no CPU limit",
    violations: (manifests) =>
      ofContainers(
        manifests,
        ({ resources }) =>
          bytesOf(resources?.limits?.["memory"]) > 0 &&
          resources?.limits?.["cpu"] === undefined &&
          bytesOf(resources?.requests?.["memory"]) > 0 &&
          resources?.requests?.["cpu"] !== undefined,
        "has other limits or requests",
      ),
    breakingChange: (manifests) => {
      delete nodeContainer(chat(manifests)).resources!.limits!["memory"];
    },
  },
  {
    title: "/tmp is on disk and limited in size, and the gateway's has room for all simultaneous uploads",
    violations: (manifests) =>
      ofNodes(
        manifests,
        (container, { spec, metadata }) => {
          const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === "/tmp");
          const volume = spec.template.spec.volumes?.find(({ name }) => name === mount?.name)?.emptyDir;
          const least = metadata.name === "gateway" ? maxConcurrentUploads * maxFileBytes : 1;
          const isReserved = bytesOf(container.resources?.requests?.["ephemeral-storage"] ?? "1") >= least;
          return volume?.medium === undefined && bytesOf(volume?.sizeLimit) >= least && isReserved;
        },
        "has no such /tmp",
      ),
    breakingChange: (manifests) => {
      named(nodesOf(manifests), "gateway").spec.template.spec.volumes!.find(({ name }) => name === "tmp")!.emptyDir!.sizeLimit = "400Mi";
    },
  },
  {
    title: "every image has an exact tag, and the tag of Parley's is the program's version",
    violations: (manifests) => [
      ...ofContainers(manifests, ({ image }) => /:\d+\.\d+\.\d+[-.\w]*$/.test(image), "has no exact tag"),
      ...ofContainers(
        manifests,
        (container) => !isParley(container) || container.image.endsWith(`/parley:${programVersion}`),
        `is not of version ${programVersion}`,
      ),
    ],
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).image = "registry.example/parley:latest";
    },
  },
  {
    title: "commands run scripts that exist",
    violations: (manifests) =>
      ofContainers(
        manifests,
        ({ command = [] }) => [...command.join(" ").matchAll(/scripts\/[\w/-]+\.ts/g)].every(([path]) => existsSync(path)),
        "runs a script that does not exist",
      ),
    breakingChange: (manifests) => {
      nodeContainer(chat(manifests)).command = ["node", "scripts/back-up.ts"];
    },
  },
  {
    title: "no pod gets the environment variables of the namespace's Services",
    violations: (manifests) => ofPods(manifests, ({ spec }) => spec.enableServiceLinks === false, "gets them"),
    breakingChange: (manifests) => {
      delete chat(manifests).spec.template.spec.enableServiceLinks;
    },
  },
];
