/**
 * Lists the fields of action results and event payloads. Nodes of two releases share these fields during a rolling upgrade. They are
 * declared as types only, so the TypeScript compiler reads them.
 */
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** @returns a line for each action and event, such as `chat.members: { members: MemberView[], next }`, and one for each type that it names */
export function resultFields(): string[] {
  const contracts = globSync("services/*/contract.ts", { cwd: root });
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: contracts }, ts.sys, root);
  const program = ts.createProgram(
    contracts.map((path) => join(root, path)),
    options,
  );
  const checker = program.getTypeChecker();
  const named = new Map<string, string>();

  function textOf(type: ts.Type): string {
    if (type.isUnion()) return [...new Set(type.types.map(textOf))].filter((text) => text !== "").join(" | ");
    if (checker.isArrayType(type)) return `${textOf(checker.getTypeArguments(type as ts.TypeReference)[0]!)}[]`;
    const symbol = type.aliasSymbol ?? type.getSymbol();
    const isNamed =
      symbol !== undefined && !symbol.name.startsWith("__") && type.flags & ts.TypeFlags.Object && type.aliasTypeArguments === undefined;
    if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return "";
    if (!isNamed) return fieldsOf(type);
    if (!named.has(symbol.name)) {
      named.set(symbol.name, "");
      named.set(symbol.name, fieldsOf(type));
    }
    return symbol.name;
  }
  function fieldsOf(type: ts.Type): string {
    const values = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    const fields = checker.getPropertiesOfType(type).map((field) => {
      const text = textOf(checker.getTypeOfSymbol(field));
      return text === "" ? field.name : `${field.name}: ${text}`;
    });
    return `{ ${[...fields.sort(), ...(values === undefined ? [] : [`*: ${textOf(values)}`])].join(", ")} }`;
  }

  /** Whether an export is created by `contract(...)` or `events(...)`. Other exports only refer to these. */
  const isDeclaration = ({ valueDeclaration: declared }: ts.Symbol): boolean =>
    declared !== undefined &&
    ts.isVariableDeclaration(declared) &&
    declared.initializer !== undefined &&
    ts.isCallExpression(declared.initializer) &&
    ["contract", "events"].includes(declared.initializer.expression.getText());

  const lines = contracts.flatMap((path) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, path))!)!;
    return checker
      .getExportsOfModule(module)
      .filter(isDeclaration)
      .flatMap((exported) =>
        checker
          .getTypeOfSymbol(exported)
          .getProperties()
          .flatMap((member) => {
            const ref = checker.getTypeOfSymbol(member);
            const returned = ref.getProperty("result") ?? ref.getProperty("payload");
            const shape = returned && checker.getTypeOfSymbol(returned).getProperties()[0];
            if (shape?.name.startsWith("__@shape") !== true) return [];
            return [`${basename(dirname(path))}.${member.name}: ${textOf(checker.getTypeOfSymbol(shape))}`];
          }),
      );
  });
  return [...lines, ...[...named].map(([name, fields]) => `${name} ${fields}`)];
}
