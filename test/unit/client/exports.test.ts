/** Pins the names that the client library exports: applications import them, so each change must be intended. */
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import ts from "typescript";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The names that client/index.ts exports: those that exist at run time, and types. */
function exportedNames(): { values: string[]; types: string[] } {
  const read: { readonly config?: unknown } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, root);
  const program = ts.createProgram([`${root}client/index.ts`], options);
  const checker = program.getTypeChecker();
  const index = checker.getSymbolAtLocation(program.getSourceFile(`${root}client/index.ts`)!)!;
  const exported = checker.getExportsOfModule(index).map((symbol) => {
    const { declarations = [] } = symbol;
    const isTypeOnly = declarations.some((declaration) => ts.isTypeOnlyImportOrExportDeclaration(declaration));
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return { name: symbol.name, isValue: !isTypeOnly && (target.flags & ts.SymbolFlags.Value) !== 0 };
  });
  const named = (isValue: boolean) =>
    exported
      .filter((one) => one.isValue === isValue)
      .map(({ name }) => name)
      .sort();
  return { values: named(true), types: named(false) };
}

test("the classes that Parley's properties have are exported as types", () => {
  const { types, values } = exportedNames();
  const files = ts.sys.readDirectory(`${root}client/http`, [".ts"]).map((file) => ts.sys.readFile(file)!);
  const classes = files.flatMap((text) => [...text.matchAll(/^export class (\w+)/gm)].map(([, name]) => name!));
  expect(classes.length).toBeGreaterThan(2);
  // Only the library uses the HTTP client.
  expect(classes.filter((name) => name !== "HttpClient" && ![...types, ...values].includes(name))).toEqual([]);
});

test("the library exports these names", () => {
  expect(exportedNames()).toEqual({
    values: ["LocalStorage", "MemoryStorage", "Parley", "ParleyError"],
    types: `
      Chat ContactRequest Contacts Credentials ErrorCode Events FileOptions
      Groups Heard InviteStatus KeyValues ListedRequest Me MemberView
      Message MessageFile MessageView NewAccount OwnAccount OwnPart PersonSince
      Place Preview Profile ProfileChanges ProfileSummary Reactions Receipt
      Resuming Role SendOptions Settings SharedChat Since State
      Storage SyncAnswer SystemNote Typing
    `
      .trim()
      .split(/\s+/),
  });
});
