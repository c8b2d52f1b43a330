/** Renders folders of `k8s/` with kustomize, and validates manifests strictly against the schemas of Kubernetes. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { kustomizePath, schemasPython } from "../infrastructure/infra.ts";

/** Returns the rendered manifests of a folder as text. Throws with kustomize's message. */
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
 * Validates manifests with kubernetes-validate.
 * @param version  of Kubernetes, such as `1.37`
 * @returns its lines: errors, and a `WARN` for each kind without a schema
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
    if (status === null) throw error ?? new Error("kubernetes-validate was killed");
    return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}
