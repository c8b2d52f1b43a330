/**
 * Writes `services/gateway/docs/answers.json`: JSON Schemas of the routes' response bodies, the answers to client events and the payloads of
 * server events. They are generated from the types in the gateway's tables. Run by `npm run docs:api`. The gateway reads the file when it starts, since types don't exist at run time. `--check` writes nothing and
 * fails if the file is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { Answers, RouteAnswer } from "../../services/gateway/docs/answers.ts";
import type { JsonSchema } from "../../services/gateway/docs/json-schema.ts";
import { typeSchemas, type TypeSchemas } from "./api-types.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const file = new URL("../../services/gateway/docs/answers.json", import.meta.url);
const [routesFolder, clientEventsFile, serverEventsFile] = ["http/routes/", "socket/client-events.ts", "socket/server-events.ts"].map(
  (path) => `${root}services/gateway/${path}`,
) as [string, string, string];

/** One row of a table. */
interface TableRow {
  readonly text: (key: string) => string | undefined;
  /** Type of the value under this key; for a function, of its awaited result. */
  readonly type: (key: string) => ts.Type | undefined;
}

export function answers(): Answers {
  const program = ts.createProgram([`${routesFolder}index.ts`, clientEventsFile, serverEventsFile], compilerOptions());
  const checker = program.getTypeChecker();
  const schemas = typeSchemas(checker);
  const routes: Record<string, RouteAnswer> = {};
  const clientEvents: Record<string, JsonSchema> = {};

  for (const source of program.getSourceFiles()) {
    for (const row of source.fileName.startsWith(routesFolder) ? rowsOf(source, checker) : []) {
      routes[routeName(row, source.fileName)] = routeAnswer(row, schemas);
    }
  }
  for (const row of rowsOf(program.getSourceFile(clientEventsFile)!, checker)) {
    const data = row.type("answer")?.getProperty("data");
    if (data !== undefined) clientEvents[row.text("event")!] = schemas.of(checker.getTypeOfSymbol(data));
  }
  const serverEvents = Object.fromEntries(
    exportedType(program.getSourceFile(serverEventsFile)!, "ServerEventPayloads", checker)
      .getProperties()
      .map((property) => [property.name, schemas.of(checker.getTypeOfSymbol(property))]),
  );
  return { routes, clientEvents, serverEvents, schemas: schemas.named() };
}

function compilerOptions(): ts.CompilerOptions {
  const read: { readonly config?: unknown } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path));
  return ts.parseJsonConfigFileContent(read.config, ts.sys, root).options;
}

/** @throws Error  the route's method or path is missing, or is not a string literal */
export function routeName({ text }: Pick<TableRow, "text">, fileName: string): string {
  const [method, path] = [text("method"), text("path")];
  if (method !== undefined && path !== undefined) return `${method} ${path}`;
  throw new Error(`${fileName}: the method and the path of a route must be string literals: ${method ?? "?"} ${path ?? "?"}`);
}

/** Finds each call with an object literal that has a `path` or an `event`, whatever the function is called. */
function rowsOf(source: ts.SourceFile, checker: ts.TypeChecker): TableRow[] {
  const rows: TableRow[] = [];
  const visit = (node: ts.Node): void => {
    const [literal] = ts.isCallExpression(node) ? node.arguments : [];
    if (literal !== undefined && ts.isObjectLiteralExpression(literal)) {
      const row = tableRow(literal, checker);
      if (row.text("path") !== undefined || row.text("event") !== undefined) rows.push(row);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return rows;
}

function tableRow(literal: ts.ObjectLiteralExpression, checker: ts.TypeChecker): TableRow {
  const symbolOf = (key: string) => checker.getTypeAtLocation(literal).getProperty(key);
  return {
    text(key) {
      const property = literal.properties.find(({ name }) => name?.getText() === key);
      const isText = property !== undefined && ts.isPropertyAssignment(property) && ts.isStringLiteral(property.initializer);
      return isText ? property.initializer.text : undefined;
    },
    type(key) {
      const symbol = symbolOf(key);
      if (symbol === undefined) return undefined;
      const type = checker.getTypeOfSymbol(symbol);
      const [signature] = type.getCallSignatures();
      return signature === undefined ? type : checker.getAwaitedType(signature.getReturnType());
    },
  };
}

function routeAnswer(row: TableRow, schemas: TypeSchemas): RouteAnswer {
  const status = row.type("status");
  const statuses = status === undefined ? [200] : status.isUnion() ? status.types : [status];
  const body = row.type("present");
  return {
    statuses: statuses.map((code) => (typeof code === "number" ? code : (code as ts.NumberLiteralType).value)),
    ...(body === undefined ? {} : { body: schemas.of(body) }),
  };
}

function exportedType(source: ts.SourceFile, name: string, checker: ts.TypeChecker): ts.Type {
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!);
  const symbol = exported.find((candidate) => candidate.name === name);
  if (symbol === undefined) throw new Error(`${source.fileName} has no type ${name}`);
  return checker.getDeclaredTypeOfSymbol(symbol);
}

/** The expected text of the file. */
export const answersText = (): string => `${JSON.stringify(answers(), null, 2)}\n`;

/** Returns the problem if the file is out of date, or undefined. */
export async function staleness(): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text === answersText() ? undefined : "services/gateway/docs/answers.json is out of date: run `npm run docs:api`";
}

async function main(): Promise<string | undefined> {
  if (process.argv.includes("--check")) return staleness();
  await writeFile(file, answersText());
  return undefined;
}

if (import.meta.main) {
  const problem = await main();
  if (problem !== undefined) {
    console.error(problem);
    process.exitCode = 1;
  }
}
