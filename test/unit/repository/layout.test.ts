/** The layout of the production code: small folders, a name of its own for each type, no cycle among core's folders, and few files that know the mode. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "@jest/globals";
import ts from "typescript";

const maxFiles = 12;

/** All files below a folder, except installed and built ones. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist") return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });

const files = ["core", "mixins", "services", "client", "scripts", "bench"].flatMap(filesIn);
const modules = files.filter((file) => file.endsWith(".ts"));

/** The names of all interfaces, type aliases, classes and enums that a file declares, inside functions too. */
function typeNamesIn(file: string): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const declaresType =
      ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node) || ts.isEnumDeclaration(node);
    if (declaresType && node.name !== undefined) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest));
  return names;
}

/** The files of the repository that a file imports, types and dynamic imports included. */
const importsOf = (file: string): string[] =>
  ts
    .preProcessFile(readFileSync(file, "utf8"), true, true)
    .importedFiles.filter(({ fileName }) => fileName.startsWith("."))
    .map(({ fileName }) => join(dirname(file), fileName));

/** A cycle in a graph, as the nodes along it, the first one repeated at the end. */
function findCycle(graph: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (finished.has(node)) return undefined;
    for (const next of graph.get(node)?.keys() ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle !== undefined) return cycle;
    }
    finished.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

test("no folder has too many files", () => {
  const counts = Object.entries(Object.groupBy(files, (file) => dirname(file))).map(([folder, group = []]) => ({
    folder,
    count: group.length,
  }));
  expect(counts.length).toBeGreaterThan(40);
  const problems = counts
    .filter(({ count }) => count > maxFiles)
    .map(
      ({ folder, count }) => `${folder} has ${count} files, and may have ${maxFiles}: put those of one task into a folder named after it`,
    );
  expect(problems).toEqual([]);
});

test("no two files declare a type of the same name", () => {
  const places = new Map<string, string[]>();
  for (const file of modules) for (const name of typeNamesIn(file)) places.set(name, [...(places.get(name) ?? []), file]);
  expect(places.size).toBeGreaterThan(400);
  const problems = [...places]
    .filter(([, found]) => found.length > 1)
    .map(([name, found]) => `${name} is declared in ${found.join(" and ")}: import it, or name each after what it is there`);
  expect(problems).toEqual([]);
});

test("core's folders import each other without a cycle", () => {
  const folderOf = (file: string) => join("core", relative("core", file).split("/").slice(0, -1)[0] ?? "");
  const graph = new Map<string, Map<string, string>>();
  for (const file of modules.filter((name) => name.startsWith("core/"))) {
    for (const imported of importsOf(file)) {
      const [from, to] = [folderOf(file), folderOf(imported)];
      if (from !== to) graph.set(from, (graph.get(from) ?? new Map<string, string>()).set(to, `${file} imports ${imported}`));
    }
  }
  expect(graph.size).toBeGreaterThan(10);
  const cycle = findCycle(graph) ?? [];
  const imports = cycle.slice(1).map((to, index) => graph.get(cycle[index]!)!.get(to)!);
  const problems = cycle.length === 0 ? [] : [`${cycle.join(" -> ")}: move what one of these imports needs to a lower folder`, ...imports];
  expect(problems).toEqual([]);
});

/** They choose adapters, or say which mode it is. */
const modeFiles = [
  "core/backup/installation-data.ts",
  "core/broker/options.ts",
  "core/cache/cacher.ts",
  "core/config/mode.ts",
  "core/node/ports.ts",
  "scripts/doctor.ts",
  "scripts/doctor/configuration.ts",
];

test("few files ask whether this is a mesh", () => {
  const asking = modules.filter((file) => /\bmesh [!=]== undefined/.test(readFileSync(file, "utf8")));
  const problems = asking
    .filter((file) => !modeFiles.includes(file))
    .map((file) => `${file} asks for the mode: ask core/config/mode.ts for a fact`);
  expect(problems).toEqual([]);
  expect(modeFiles.filter((file) => !asking.includes(file))).toEqual([]);
});
