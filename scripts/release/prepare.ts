/**
 * `npm version` runs this between the new number in package.json and its commit: what was unreleased in the changelog becomes the
 * version's, and the Kubernetes manifests name its image.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { released } from "./changelog.ts";

const image = "k8s/components/image/kustomization.yaml";

try {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const changelog = released(readFileSync("CHANGELOG.md", "utf8"), version, new Date().toISOString().slice(0, 10));
  const manifest = readFileSync(image, "utf8");
  if (manifest.match(/newTag:/g)?.length !== 1) throw new Error(`${image} has not just one newTag`);
  writeFileSync("CHANGELOG.md", changelog);
  writeFileSync(
    image,
    manifest.replace(/newTag: .*/, () => `newTag: ${version}`),
  );
} catch (error) {
  process.stderr.write(`No release: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
