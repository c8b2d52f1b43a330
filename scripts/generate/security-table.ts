/** Writes the table of security events in docs/security.md from core/security/events.ts. Run by `npm run docs:security`. */
import { securityEventNames, securityEvents } from "../../core/security/events.ts";
import { markdownTable, writeOrCheck, type GeneratedTable } from "./markdown-table.ts";

function table(): string {
  const rows = securityEventNames.map((name) => {
    const { means, fields, lineLimits } = securityEvents[name];
    const described = Object.entries(fields).map(([field, holds]) => `\`${field}\`: ${holds}`);
    return [`\`${name}\``, means, described.join("; "), `${lineLimits.perKey}, ${lineLimits.total}`];
  });
  return markdownTable(["`security`", "when", "fields besides `userId`, `address`, `device`", "lines per minute: per key, total"], rows);
}

export const securityTable: GeneratedTable = { page: "docs/security.md", name: "security-events", script: "docs:security", make: table };

if (import.meta.main) await writeOrCheck(securityTable);
