/**
 * Moves the unreleased changes in the changelog to the new version, and sets the version of the client library and the image tag in the
 * Kubernetes manifests. `npm version` runs this between changing package.json and committing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { released } from "./changelog.ts";

const image = "k8s/components/image/kustomization.yaml";
const client = "client/package.json";

try {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const changelog = released(readFileSync("CHANGELOG.md", "utf8"), version, new Date().toISOString().slice(0, 10));
  const manifest = readFileSync(image, "utf8");
  if (manifest.match(/newTag:/g)?.length !== 1) throw new Error(`${image} must have exactly one newTag`);
  const library = readFileSync(client, "utf8");
  writeFileSync("CHANGELOG.md", changelog);
  writeFileSync(
    client,
    library.replace(/"version": "[^"]*"/, () => `"version": "${version}"`),
  );
  writeFileSync(
    image,
    manifest.replace(/newTag: .*/, () => `newTag: ${version}`),
  );
} catch (error) {
  process.stderr.write(`No release: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
