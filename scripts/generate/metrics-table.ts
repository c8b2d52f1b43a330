/** Writes the table in docs/metrics.md from the declarations (`core/metrics/declare.ts`). Run by `npm run docs:metrics`. */
import { glob, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { declarations } from "../../core/metrics/declare.ts";
import { markdownTable, writeOrCheck, type GeneratedTable } from "./markdown-table.ts";

const root = new URL("../../", import.meta.url);

/** Imports every module that declares metrics. */
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

export const metricsTable: GeneratedTable = { page: "docs/metrics.md", name: "metrics", script: "docs:metrics", make: table };

if (import.meta.main) await writeOrCheck(metricsTable);
