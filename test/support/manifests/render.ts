/** Runs kustomize, and the strict schemas of Kubernetes' own kinds, on folders of `k8s/`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { kustomizePath, schemasPython } from "../infrastructure/infra.ts";

/** The rendered manifests of a folder, as text. Throws with kustomize's own message. */
export function render(folder: string): string {
  const program = kustomizePath();
  const { status, stdout, stderr, error } = spawnSync(program, [basename(program) === "kubectl" ? "kustomize" : "build", folder], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${program} can't render ${folder}: ${error?.message ?? stderr}`);
  return stdout;
}

/**
 * What kubernetes-validate has against manifests, a line each; kinds it has no schema for are named with `WARN`.
 * @param version  of Kubernetes, like `1.37`
 */
export function schemaComplaints(manifests: string, version: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "parley-manifests-"));
  try {
    const file = join(folder, "manifests.yaml");
    writeFileSync(file, manifests);
    const { status, stdout, stderr, error } = spawnSync(
      schemasPython(),
      ["-m", "kubernetes_validate", "--kubernetes-version", version, "--strict", "--quiet", file],
      { encoding: "utf8" },
    );
    if (status === null) throw error ?? new Error("kubernetes-validate was ended");
    return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}
