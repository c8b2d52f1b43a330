/** `node scripts/release/notes.ts v1.2.3`: prints the changes of that tag's release. The tag must match the program's version. */
import { readFileSync } from "node:fs";
import { notesOf } from "./changelog.ts";

try {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const [tag = "none"] = process.argv.slice(2);
  if (tag !== `v${version}`) throw new Error(`the tag is ${tag}, but the program's version is ${version}`);
  process.stdout.write(`${notesOf(readFileSync("CHANGELOG.md", "utf8"), version)}\n`);
} catch (error) {
  process.stderr.write(`No release: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
