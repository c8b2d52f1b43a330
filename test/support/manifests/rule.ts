/** A rule that rendered manifests keep, with the change that breaks it: a rule that nothing breaks says nothing. */
import type { KubernetesManifest } from "./manifest.ts";

export interface ManifestRule {
  /** A sentence about the manifests. */
  readonly title: string;
  /** What is against it, a line each. */
  readonly violations: (manifests: readonly KubernetesManifest[]) => readonly string[];
  /** Changes manifests of the production overlay in place so that they break it. */
  readonly breakingChange: (manifests: KubernetesManifest[]) => void;
}

/** Lines for those of the things that don't fit. */
export const unless = <T>(things: readonly T[], fits: (thing: T) => boolean, say: (thing: T) => string): string[] =>
  things.filter((thing) => !fits(thing)).map(say);
