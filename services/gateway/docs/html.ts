/** Markup from templates: whatever is put in is escaped, unless it is markup itself. */
export interface Html {
  readonly markup: string;
}
type Part = string | number | Html | undefined | readonly Part[];

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { markup: String.raw({ raw: strings }, ...parts.map(markupOf)) };
}

function markupOf(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string" || typeof part === "number") return escaped(String(part));
  return isList(part) ? part.map(markupOf).join("") : part.markup;
}
const isList = (part: Html | readonly Part[]): part is readonly Part[] => Array.isArray(part);

/** Prose, with backticks around code. */
export const prose = (text: string): Html =>
  html`${text.split("`").map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : piece))}`;
