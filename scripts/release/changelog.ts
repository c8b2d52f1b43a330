/** Reads and updates the sections of CHANGELOG.md. */

const unreleased = "## [Unreleased]";
const heading = (version: string) => `## [${version}]`;

/** Returns the text below a heading up to the next one, without surrounding blank lines; undefined if there is no such heading. */
function below(changelog: string, start: string): string | undefined {
  const lines = changelog.split("\n");
  const first = lines.findIndex((line) => line.startsWith(start));
  if (first === -1) return undefined;
  const length = lines.slice(first + 1).findIndex((line) => line.startsWith("## "));
  return lines
    .slice(first + 1, length === -1 ? undefined : first + 1 + length)
    .join("\n")
    .trim();
}

/**
 * Returns the changes of a version as Markdown.
 * @throws Error  the version has no section, or an empty one
 */
export function notesOf(changelog: string, version: string): string {
  const notes = below(changelog, heading(version));
  if (notes === undefined || notes === "") throw new Error(`CHANGELOG.md says nothing about ${version}`);
  return notes;
}

/**
 * Moves the unreleased changes into the section of a version.
 * @param date  like 2026-01-31
 * @returns the new changelog
 * @throws Error  nothing is unreleased, or the version has a section already
 */
export function released(changelog: string, version: string, date: string): string {
  if (below(changelog, heading(version)) !== undefined) throw new Error(`CHANGELOG.md has a section ${version} already`);
  if ((below(changelog, unreleased) ?? "") === "") throw new Error(`CHANGELOG.md has nothing under "${unreleased}"`);
  return changelog.replace(unreleased, () => `${unreleased}\n\n${heading(version)} - ${date}`);
}
