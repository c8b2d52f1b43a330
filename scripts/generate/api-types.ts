/** Converts TypeScript types and their docstrings to JSON Schema. */
import ts from "typescript";
import type { JsonSchema } from "../../services/gateway/docs/json-schema.ts";

/** Names of strings that are times: `createdAt`, `mutedUntil`, `at`. */
const timeName = /(?:^at|At|Until)$/;

export interface TypeSchemas {
  /** Returns a type's schema. Named types are references into `named`. */
  readonly of: (type: ts.Type) => JsonSchema;
  /** Returns every named type seen so far, sorted by name. */
  readonly named: () => Record<string, JsonSchema>;
}

/** @throws Error  a type without a JSON form, or two types with the same name */
export function typeSchemas(checker: ts.TypeChecker): TypeSchemas {
  const named: Record<string, JsonSchema> = {};
  const known = new Map<string, ts.Type>();

  function schemaOf(type: ts.Type): JsonSchema {
    const name = nameOf(type);
    if (name === undefined) return spelledOut(type);
    const first = known.get(name);
    if (first !== undefined && first !== type) throw new Error(`two types are called ${name}`);
    if (first === undefined) {
      known.set(name, type);
      named[name] = {}; // the type may refer to itself
      named[name] = { ...spelledOut(type), ...described(symbolOf(type)!, checker) };
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  function spelledOut(type: ts.Type): JsonSchema {
    if (type.isUnion()) return unionOf(type.types);
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (type.flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === "true" };
    if (type.flags & ts.TypeFlags.String) return { type: "string" };
    // Every number in the API is an integer: a count, a size, an ordinal or a time.
    if (type.flags & ts.TypeFlags.Number) return { type: "integer" };
    if (type.flags & ts.TypeFlags.Boolean) return { type: "boolean" };
    if (type.flags & ts.TypeFlags.Null) return { type: "null" };
    if (checker.isArrayType(type)) return { type: "array", items: schemaOf(checker.getTypeArguments(type as ts.TypeReference)[0]!) };
    if (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) return objectOf(type);
    throw new Error(`${checker.typeToString(type)} has no JSON form`);
  }

  function unionOf(types: readonly ts.Type[]): JsonSchema {
    const isNullable = types.some(({ flags }) => flags & ts.TypeFlags.Null);
    const parts = types.filter(({ flags }) => !(flags & (ts.TypeFlags.Null | ts.TypeFlags.Undefined)));
    const schema = alternatives(parts);
    if (!isNullable) return schema;
    return typeof schema["type"] === "string" && schema["enum"] === undefined
      ? { ...schema, type: [schema["type"], "null"] }
      : { anyOf: [schema, { type: "null" }] };
  }

  function alternatives(parts: readonly ts.Type[]): JsonSchema {
    if (parts.every((part) => part.isStringLiteral())) return { type: "string", enum: parts.map(({ value }) => value).sort() };
    // The compiler represents boolean as a union of true and false.
    if (parts.length === 2 && parts.every(({ flags }) => flags & ts.TypeFlags.BooleanLiteral)) return { type: "boolean" };
    return parts.length === 1 ? schemaOf(parts[0]!) : { anyOf: parts.map(schemaOf) };
  }

  function objectOf(type: ts.Type): JsonSchema {
    const values = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    if (values !== undefined) return { type: "object", additionalProperties: schemaOf(values) };
    // Inherited properties come first, so that ids precede the rest. Properties that the compiler adds as undefined from other members of a
    // union are dropped.
    const present = checker.getPropertiesOfType(type).filter((property) => !isUndefined(checker.getTypeOfSymbol(property)));
    const properties = present.toSorted((a, b) => Number(isOwn(type, a)) - Number(isOwn(type, b)));
    const required = properties.filter(({ flags }) => !(flags & ts.SymbolFlags.Optional)).map(({ name }) => name);
    return {
      type: "object",
      properties: Object.fromEntries(properties.map((property) => [property.name, propertyOf(property)])),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false,
    };
  }

  function propertyOf(property: ts.Symbol): JsonSchema {
    const schema = schemaOf(checker.getTypeOfSymbol(property));
    const isTime = timeName.test(property.name) && [schema["type"]].flat().includes("string");
    return { ...schema, ...(isTime ? { format: "date-time" } : {}), ...described(property, checker) };
  }

  return { of: schemaOf, named: () => Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** Some types have no symbol, although the compiler's own types say they do. */
const symbolOf = (type: ts.Type): ts.Symbol | undefined => type.aliasSymbol ?? type.symbol;

/** Returns the name of an interface or type alias of this project. Other object types are inlined. */
function nameOf(type: ts.Type): string | undefined {
  const symbol = symbolOf(type);
  const declaration = symbol?.declarations?.[0];
  if (symbol === undefined || declaration === undefined || type.aliasTypeArguments !== undefined) return undefined;
  const isNamed = ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration);
  return isNamed && !declaration.getSourceFile().isDeclarationFile ? symbol.name : undefined;
}

const isUndefined = ({ flags }: ts.Type): boolean => (flags & ts.TypeFlags.Undefined) !== 0;

const isOwn = (type: ts.Type, { declarations = [] }: ts.Symbol): boolean => {
  const places: readonly ts.Node[] = symbolOf(type)?.declarations ?? [];
  return declarations.some(({ parent }) => places.includes(parent));
};

function described(symbol: ts.Symbol, checker: ts.TypeChecker): JsonSchema {
  // A docstring at the start of a file describes the file, not its first declaration.
  const declaration = symbol.declarations?.[0];
  if (declaration?.getFullStart() === 0 && ts.getLeadingCommentRanges(declaration.getFullText(), 0)?.length === 1) return {};
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll("\n", " ");
  return text === "" ? {} : { description: text };
}
