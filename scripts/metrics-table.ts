/**
 * Writes the table of docs/metrics.md from the declarations (`core/metrics/declare.ts`): `npm run docs:metrics`. With `--check` it writes
 * nothing, and fails when the table is out of date.
 */
import { glob, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { declarations } from "../core/metrics/declare.ts";
import { markdownTable, withTable } from "./markdown-table.ts";

const root = new URL("../", import.meta.url);
const page = new URL("docs/metrics.md", root);

/** Loads every module that declares metrics. */
export async function loadDeclarations(): Promise<void> {
  for await (const path of glob("{core,mixins,services}/**/*.ts", { cwd: fileURLToPath(root) })) {
    const file = new URL(path, root);
    if ((await readFile(file, "utf8")).includes('/declare.ts"')) await import(file.href);
  }
}

async function table(): Promise<string> {
  await loadDeclarations();
  const rows = declarations().map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(", "),
    help,
  ]);
  return markdownTable(["metric", "type", "labels", "meaning"], rows);
}

const asItShouldBe = async (text: string): Promise<string> => withTable("docs/metrics.md", "metrics", text, await table());

/** What is wrong with the page's table, or undefined. */
export async function outOfDate(): Promise<string | undefined> {
  const text = await readFile(page, "utf8");
  return (await asItShouldBe(text)) === text ? undefined : "docs/metrics.md is out of date: run `npm run docs:metrics`";
}

async function main(): Promise<string | undefined> {
  if (process.argv.includes("--check")) return outOfDate();
  await writeFile(page, await asItShouldBe(await readFile(page, "utf8")));
  return undefined;
}

if (import.meta.main) {
  const wrong = await main().catch((error: unknown) => (error as Error).message);
  if (wrong !== undefined) {
    console.error(wrong);
    process.exitCode = 1;
  }
}
