/**
 * Generates tables in Markdown pages, between `<!-- name -->` and `<!-- /name -->`. Each table has a script that writes it; with `--check`
 * the script writes nothing and fails if the table is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";

export interface GeneratedTable {
  /** Path of the page in the repository. */
  readonly page: string;
  /** Name in the markers around the table. */
  readonly name: string;
  /** The npm script that writes it. */
  readonly script: string;
  readonly make: () => string | Promise<string>;
}

/** Formats a table with columns padded as Prettier does. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [header, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n");
}

/**
 * Returns a page's text with the table up to date.
 * @throws Error  the page has no markers for the table
 */
export async function withTable({ page, name, make }: GeneratedTable, text: string): Promise<string> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`${page} has no markers for the table: ${begin} and ${end}, one line each`);
  return `${text.slice(0, from + begin.length)}\n\n${await make()}\n\n${text.slice(to)}`;
}

const fileOf = ({ page }: GeneratedTable): URL => new URL(page, new URL("../../", import.meta.url));

/** Reads the page's present text and computes the expected one. */
async function read(table: GeneratedTable): Promise<{ is: string; shouldBe: string }> {
  const is = await readFile(fileOf(table), "utf8");
  return { is, shouldBe: await withTable(table, is) };
}

/** Returns what is wrong with the page's table, or undefined. */
export async function outOfDate(table: GeneratedTable): Promise<string | undefined> {
  const { is, shouldBe } = await read(table);
  return is === shouldBe ? undefined : `${table.page}'s table "${table.name}" is out of date: run \`npm run ${table.script}\``;
}

/** Runs the table's script. */
export async function writeOrCheck(table: GeneratedTable): Promise<void> {
  try {
    if (process.argv.includes("--check")) {
      const wrong = await outOfDate(table);
      if (wrong !== undefined) throw new Error(wrong);
    } else await writeFile(fileOf(table), (await read(table)).shouldBe);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
