/** The type of a rule for rendered manifests. Each comes with a change that breaks it, which proves that the rule can fail. */
import type { KubernetesManifest } from "./manifest.ts";

export interface ManifestRule {
  /** A sentence about the manifests. */
  readonly title: string;
  /** Returns a line for each violation. */
  readonly violations: (manifests: readonly KubernetesManifest[]) => readonly string[];
  /** Changes manifests of the production overlay in place so that they break the rule. */
  readonly breakingChange: (manifests: KubernetesManifest[]) => void;
}

/** Returns a line for each thing that does not fit. */
export const unless = <T>(things: readonly T[], fits: (thing: T) => boolean, say: (thing: T) => string): string[] =>
  things.filter((thing) => !fits(thing)).map(say);
