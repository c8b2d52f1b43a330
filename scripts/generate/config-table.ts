/** Writes the README's table of environment variables from core/config/config.ts. Run by `npm run docs:config`. */
import { variables } from "../../core/config/config.ts";
import { markdownTable, writeOrCheck, type GeneratedTable } from "./markdown-table.ts";

/** The sentence below the table that lists the variables with a `_FILE` variant. */
function twins(): string {
  const names = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [`\`${name}\``] : []));
  return [
    "A secret can be given as a file instead, by the variable's name with `_FILE` appended (`JWT_SECRET_FILE=/run/secrets/jwt`):",
    `${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`,
  ].join("\n");
}

const table = (): string =>
  markdownTable(
    ["variable", "default", "meaning"],
    Object.entries(variables).map(([name, variable]) => [`\`${name}\``, variable.default, variable.meaning]),
  );

export const configTable: GeneratedTable = {
  page: "README.md",
  name: "config",
  script: "docs:config",
  make: () => `${table()}\n\n${twins()}`,
};

if (import.meta.main) await writeOrCheck(configTable);
