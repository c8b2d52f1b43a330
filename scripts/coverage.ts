/**
 * `npm run coverage`: measures which lines the tests run, in Jest's own processes and in every server they start that exits by itself (a
 * killed process reports nothing). Prints a table by folder and writes coverage/lines/lcov.info. Arguments after `--` go to Jest; by
 * default it runs the projects that need only Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";

const program = ["core", "mixins", "services", "client"];
const folder = resolve("coverage/lines");
const servers = { raw: `${folder}/servers/raw`, report: `${folder}/servers` };
const jest = `${folder}/jest`;

/** How often each line of a file ran, by line number. */
type Lines = Map<number, number>;
/** Istanbul's report format. V8 counts lines only, so a statement is a line here. */
type Report = Record<string, { statementMap: Record<string, { start: { line: number } }>; s: Record<string, number> }>;

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  return spawnSync(process.execPath, args, { stdio: "inherit", env: { ...process.env, ...env } }).status ?? 1;
}

function runTests(args: readonly string[]): number {
  const asked = args.length > 0 ? args : ["--selectProjects", "unit", "integration", "stories"];
  const flags = ["--coverage", "--coverageProvider=v8", "--coverageReporters=json", `--coverageDirectory=${jest}`];
  const from = program.map((name) => `--collectCoverageFrom=${name}/**/*.ts`);
  const node = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", "node_modules/jest/bin/jest.js"];
  return run([...node, ...flags, ...from, ...asked], { PARLEY_COVERAGE: servers.raw });
}

function reportServers(): number {
  const includes = program.flatMap((name) => ["--include", `${name}/**/*.ts`]);
  const where = ["--temp-directory", servers.raw, "--reports-dir", servers.report, "--reporter", "json", "--merge-async"];
  return run(["node_modules/c8/bin/c8.js", "report", ...where, ...includes]);
}

function add(files: Map<string, Lines>, report: Report): void {
  for (const [path, { statementMap, s }] of Object.entries(report)) {
    const name = relative(".", path);
    const lines = files.get(name) ?? new Map<number, number>();
    files.set(name, lines);
    for (const [id, { start }] of Object.entries(statementMap)) lines.set(start.line, (lines.get(start.line) ?? 0) + (s[id] ?? 0));
  }
}

/** Reads a report; empty if Jest wrote none. */
const read = (path: string): Report => (existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Report) : {});
const isRun = (times: number): boolean => times > 0;

function lcov(files: ReadonlyMap<string, Lines>): string {
  const record = ([name, lines]: [string, Lines]) =>
    [`SF:${name}`, ...[...lines].map(([line, times]) => `DA:${line},${times}`), "end_of_record"].join("\n");
  return `${[...files].map(record).join("\n")}\n`;
}

function table(files: ReadonlyMap<string, Lines>): string {
  const rows = new Map<string, { all: number; run: number }>();
  for (const [name, lines] of files) {
    const parts = name.split("/");
    for (const title of [parts.slice(0, parts[0] === "services" ? 2 : 1).join("/"), "all"]) {
      const row = rows.get(title) ?? { all: 0, run: 0 };
      rows.set(title, { all: row.all + lines.size, run: row.run + [...lines.values()].filter(isRun).length });
    }
  }
  const line = ([title, row]: [string, { all: number; run: number }]) =>
    `${title.padEnd(20)} ${((100 * row.run) / row.all).toFixed(1).padStart(5)} %  ${row.run} of ${row.all} lines`;
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(line)
    .join("\n");
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(servers.raw, { recursive: true });
const tests = runTests(process.argv.slice(2));
const reported = reportServers();
const files = new Map<string, Lines>();
for (const path of [`${jest}/coverage-final.json`, `${servers.report}/coverage-final.json`]) add(files, read(path));
rmSync(servers.raw, { recursive: true });
writeFileSync(`${folder}/lcov.info`, lcov(files));
console.log(table(files));
process.exitCode = tests === 0 ? reported : tests;
