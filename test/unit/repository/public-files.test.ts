/** What hosting platforms read: workflows, templates, the devcontainer. They can't run here, so their facts are held together. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { parse, parseDocument } from "yaml";
import { variables } from "../../../core/config/config.ts";

interface WorkflowStep {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly uses?: string; readonly needs?: string; readonly steps?: readonly WorkflowStep[] }>>;
}
interface Package {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const text = (path: string) => readFileSync(path, "utf8");
const workflow = (name: string) => parse(text(`.github/workflows/${name}.yml`)) as Workflow;
const program = JSON.parse(text("package.json")) as Package;
const workflows = globSync(".github/workflows/*.yml");
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps = [] }) => steps);

test.each([...workflows, ...globSync(".github/*.yml"), ...globSync(".github/ISSUE_TEMPLATE/*.yml")])("%s is YAML", (path) => {
  const { errors, warnings } = parseDocument(text(path));
  expect([...errors, ...warnings]).toEqual([]);
});

describe.each(workflows)("%s", (path) => {
  const { permissions, jobs } = parse(text(path)) as Workflow;
  const steps = Object.values(jobs).flatMap(({ steps = [] }) => steps);

  test("names every action by its commit", () => {
    const used = [...steps, ...Object.values(jobs)].flatMap(({ uses }) => uses ?? []);
    expect(used.filter((action) => !/^\.\/|^[\w/-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
    expect(used).not.toEqual([]);
  });

  test("checks out the whole history and leaves no token in it", () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts).not.toEqual([]);
    for (const { with: options } of checkouts) expect(options).toMatchObject({ "fetch-depth": 0, "persist-credentials": false });
  });

  test("may only read, unless a job declares more", () => {
    expect(permissions).toEqual({ contents: "read" });
  });

  test("puts no text that others can write into a shell command", () => {
    expect(steps.filter(({ run }) => run?.includes("${{"))).toEqual([]);
  });
});

test("CI and Jenkins run .ci/run", () => {
  expect(stepsOf(workflow("ci")).map(({ run }) => run)).toContain(".ci/run");
  expect(Object.keys(workflow("ci").on)).toEqual(expect.arrayContaining(["push", "pull_request"]));
  expect(text("Jenkinsfile")).toMatch(/sh '[^']*\.ci\/run'/);
});

test("a tag is released if CI passes and the changelog has a section for it", () => {
  const { on, jobs } = workflow("release");
  expect(on).toEqual({ push: { tags: ["v*"] } });
  expect(jobs["test"]?.uses).toBe("./.github/workflows/ci.yml");
  expect(jobs["image"]?.needs).toBe("test");
  expect(stepsOf(workflow("release")).map(({ run = "" }) => /scripts\/release\/notes\.ts/.test(run))).toContain(true);
});

test("one version of Node is used everywhere, and fits package.json's engines", () => {
  const version = text(".nvmrc").trim();
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [, leastMajor, leastMinor] = /^>=(\d+)\.(\d+)\.\d+$/.exec(program.engines.node) ?? [];
  expect(major > Number(leastMajor) || (major === Number(leastMajor) && minor >= Number(leastMinor))).toBe(true);
  expect(program.devDependencies["node"]).toBe(version);

  const images = [...workflows, "Jenkinsfile", ".devcontainer/devcontainer.json", "Dockerfile"].filter((path) => existsSync(path));
  const used = images.flatMap((path) => [...text(path).matchAll(/\bnode:(\d[\w.]*)/g)].map(([, found]) => `${path}: ${found}`));
  expect(used.length).toBeGreaterThanOrEqual(4);
  expect(used.filter((line) => !line.endsWith(`: ${version}`))).toEqual([]);
});

test("Dependabot checks everything that has versions", () => {
  const { updates } = parse(text(".github/dependabot.yml")) as { updates: { "package-ecosystem": string }[] };
  expect(updates.map((update) => update["package-ecosystem"])).toEqual(["npm", "github-actions", "docker", "docker-compose"]);
});

describe.each(globSync(["*.md", "docs/*.md", "k8s/*.md"]))("%s", (path) => {
  const page = text(path);

  test("names npm scripts that exist", () => {
    const named = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script!);
    expect(named.filter((script) => program.scripts[script] === undefined)).toEqual([]);
  });

  test("links to files that exist", () => {
    const links = [...page.replace(/```.*?```/gs, "").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link]) => link!);
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
    expect(links.filter((link) => !existsSync(folder + link))).toEqual([]);
  });
});

test("no page names a _FILE variable that does not exist", () => {
  const named = globSync(["*.md", "docs/*.md", "k8s/*.md"]).flatMap((path) =>
    [...text(path).matchAll(/\b([A-Z_]+)_FILE\b/g)].map(([, name]) => name!),
  );
  const secret = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [name] : []));
  expect(named.filter((name) => !secret.includes(name))).toEqual([]);
});
