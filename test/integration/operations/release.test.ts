/** `npm version` in a copy of the repository: what a release commits, and when it is refused. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, expect, test } from "@jest/globals";

const parts = [
  "package.json",
  "package-lock.json",
  "CHANGELOG.md",
  "client/package.json",
  "k8s/components/image/kustomization.yaml",
  "scripts/release",
];
const identity = { GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@example.org", GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@example.org" };
const env = { ...process.env, ...identity, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` };
const version = "47.11.0";
const folders: string[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-release-"));
  folders.push(folder);
  for (const part of parts) cpSync(part, join(folder, part), { recursive: true });
  git("init", "--quiet");
  commitAll();
});
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true });
});

const git = (...args: string[]): string => execFileSync("git", args, { cwd: folder, env, encoding: "utf8" });
function commitAll(): void {
  git("add", "--all");
  git("commit", "--quiet", "--message", "A change");
}
const npmVersion = (): { status: number | null; stderr: string } =>
  spawnSync("npm", ["version", version], { cwd: folder, env, encoding: "utf8" });
const notes = (tag: string) => spawnSync(process.execPath, ["scripts/release/notes.ts", tag], { cwd: folder, env, encoding: "utf8" });
const read = (path: string): string => readFileSync(join(folder, path), "utf8");
function change(path: string, changed: (text: string) => string): void {
  writeFileSync(join(folder, path), changed(read(path)));
  commitAll();
}

test("a release is one tagged commit with the version, the changelog and the image's tag", () => {
  change("CHANGELOG.md", (text) => text.replace("## [Unreleased]\n", "## [Unreleased]\n\n- It sings.\n"));
  expect(npmVersion()).toMatchObject({ status: 0 });

  expect(git("tag", "--points-at", "HEAD").trim()).toBe(`v${version}`);
  expect(git("show", "--name-only", "--format=", "HEAD").trim().split("\n").sort()).toEqual(
    ["CHANGELOG.md", "client/package.json", "k8s/components/image/kustomization.yaml", "package-lock.json", "package.json"].sort(),
  );
  expect(read("k8s/components/image/kustomization.yaml")).toContain(`newTag: ${version}\n`);
  expect(read("client/package.json")).toContain(`"version": "${version}"`);
  expect(read("CHANGELOG.md")).toMatch(new RegExp(`## \\[Unreleased\\]\\n\\n## \\[${version}\\] - \\d{4}-\\d\\d-\\d\\d\\n\\n- It sings`));
  expect(notes(`v${version}`)).toMatchObject({ status: 0, stdout: expect.stringContaining("- It sings.") });
});

test("a release without changelog entries is refused, and changes nothing", () => {
  change(
    "CHANGELOG.md",
    (text) => `${text.slice(0, text.indexOf("## [Unreleased]"))}## [Unreleased]\n\n## [0.0.1] - 2026-01-01\n\n- A start.\n`,
  );
  const { status, stderr } = npmVersion();
  expect(status).not.toBe(0);
  expect(stderr).toContain('No release: CHANGELOG.md has nothing under "## [Unreleased]"');
  expect(git("tag")).toBe("");
  expect(read("k8s/components/image/kustomization.yaml")).not.toContain(version);
});

test("there are no release notes for a tag that is not the program's version", () => {
  expect(notes("v0.0.0")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^No release: the tag is v0\.0\.0, .*\n$/),
  });
});
