/**
 * Writes the table of security events in docs/security.md from core/security/events.ts: `npm run docs:security`. With `--check` it
 * writes nothing, and fails when the table is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { securityEventNames, securityEvents } from "../core/security/events.ts";
import { markdownTable, withTable } from "./markdown-table.ts";

const page = new URL("../docs/security.md", import.meta.url);

function table(): string {
  const rows = securityEventNames.map((name) => {
    const { means, fields, atMost } = securityEvents[name];
    const described = Object.entries(fields).map(([field, holds]) => `\`${field}\`: ${holds}`);
    return [`\`${name}\``, means, described.join("; "), `${atMost.ofOne}, ${atMost.ofAll}`];
  });
  return markdownTable(["`security`", "when", "besides `userId`, `address`, `device`", "lines a minute: of one, of all"], rows);
}

const withEvents = (text: string): string => withTable("docs/security.md", "security-events", text, table());

/** What is wrong with the page's table, or undefined. */
export async function outOfDate(): Promise<string | undefined> {
  const text = await readFile(page, "utf8");
  return withEvents(text) === text ? undefined : "docs/security.md's table of events is out of date: run `npm run docs:security`";
}

async function main(): Promise<string | undefined> {
  if (process.argv.includes("--check")) return outOfDate();
  await writeFile(page, withEvents(await readFile(page, "utf8")));
  return undefined;
}

if (import.meta.main) {
  const wrong = await main().catch((error: unknown) => (error as Error).message);
  if (wrong !== undefined) {
    console.error(wrong);
    process.exitCode = 1;
  }
}
