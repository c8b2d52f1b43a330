/**
 * Writes the README's table of environment variables from core/config.ts: `npm run docs:config`. With `--check` it writes
 * nothing, and fails when the table is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { variables } from "../core/config.ts";

const readme = new URL("../README.md", import.meta.url);
const [begin, end] = ["<!-- config -->", "<!-- /config -->"];

/** Which variables have a twin, as a sentence below the table. */
function twins(): string {
  const names = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [`\`${name}\``] : []));
  return [
    "A secret can be given as a file instead, by the variable's name with `_FILE` behind it (`JWT_SECRET_FILE=/run/secrets/jwt`):",
    `${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`,
  ].join("\n");
}

/** The variables as a Markdown table, its columns padded as Prettier wants them. */
function table(): string {
  const rows = Object.entries(variables).map(([name, variable]) => [`\`${name}\``, variable.default, variable.meaning]);
  const header = ["variable", "default", "meaning"];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [header, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n");
}

/**
 * The text with the table as it should be.
 * @throws Error  there is no place for the table
 */
export function withTable(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`README.md has no place for the table: ${begin} and ${end}, a line each`);
  return `${text.slice(0, from + begin.length)}\n\n${table()}\n\n${twins()}\n\n${text.slice(to)}`;
}

/** What is wrong with the README's table, or undefined. */
export async function outOfDate(): Promise<string | undefined> {
  const text = await readFile(readme, "utf8");
  return withTable(text) === text ? undefined : "README.md's table of variables is out of date: run `npm run docs:config`";
}

async function main(): Promise<string | undefined> {
  if (process.argv.includes("--check")) return outOfDate();
  const text = await readFile(readme, "utf8");
  await writeFile(readme, withTable(text));
  return undefined;
}

if (import.meta.main) {
  const wrong = await main().catch((error: unknown) => (error as Error).message);
  if (wrong !== undefined) {
    console.error(wrong);
    process.exitCode = 1;
  }
}
