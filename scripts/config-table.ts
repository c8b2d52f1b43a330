/**
 * Writes the README's table of environment variables from core/config.ts: `npm run docs:config`. With `--check` it writes
 * nothing, and fails when the table is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { variables } from "../core/config.ts";
import { markdownTable, withTable as between } from "./markdown-table.ts";

const readme = new URL("../README.md", import.meta.url);

/** Which variables have a twin, as a sentence below the table. */
function twins(): string {
  const names = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [`\`${name}\``] : []));
  return [
    "A secret can be given as a file instead, by the variable's name with `_FILE` behind it (`JWT_SECRET_FILE=/run/secrets/jwt`):",
    `${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`,
  ].join("\n");
}

const table = (): string =>
  markdownTable(
    ["variable", "default", "meaning"],
    Object.entries(variables).map(([name, variable]) => [`\`${name}\``, variable.default, variable.meaning]),
  );

/**
 * The text with the table as it should be.
 * @throws Error  there is no place for the table
 */
export const withTable = (text: string): string => between("README.md", "config", text, `${table()}\n\n${twins()}`);

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
