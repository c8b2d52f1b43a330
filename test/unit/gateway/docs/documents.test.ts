/** Tests that the API's documents are complete, match the code, and can be read by other tools. */
import { describe, expect, test } from "@jest/globals";
import { routeName, staleness } from "../../../../scripts/generate/api-answers.ts";
import { readAnswers } from "../../../../services/gateway/docs/answers.ts";
import { fixedPaths } from "../../../../services/gateway/docs/fixed-paths.ts";
import { openApi, templated } from "../../../../services/gateway/docs/openapi.ts";
import { tagTitles } from "../../../../services/gateway/docs/texts.ts";
import { routes } from "../../../../services/gateway/http/routes/index.ts";

const answers = readAnswers();
const document = openApi(routes, answers, "1.2.3");
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

describe("answers.json", () => {
  test("matches the types", async () => {
    expect(await staleness()).toBeUndefined();
  });

  test("cannot be generated if a route's method is not a string literal", () => {
    const literals: Readonly<Record<string, string>> = { path: "/chat" };
    expect(() => routeName({ text: (key) => literals[key] }, "routes/chat.ts")).toThrow(/^routes\/chat\.ts: .*: \? \/chat$/);
  });

  test("has every route", () => {
    expect(Object.keys(answers.routes).sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
  });
});

describe("the OpenAPI document", () => {
  test("has every route of the table, and the paths that are served besides", () => {
    const expected = [
      ...routes.map(({ method, path }) => `${method} ${templated(path)}`),
      ...Object.keys(fixedPaths).map((path) => `GET ${path}`),
    ];
    expect(operations.map(({ name }) => name).sort()).toEqual(expected.sort());
  });

  test("gives each operation a unique id, and lists each path parameter", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, operation } of operations) {
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter["in"] === "path").map((parameter) => parameter["name"]);
      expect({ name, inPath }).toEqual({ name, inPath: [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter) });
    }
  });

  test("gives each tag a title, and has no other titles", () => {
    const untitled = document.tags.flatMap(({ name }) =>
      Object.hasOwn(tagTitles, name)
        ? []
        : [`tagTitles in services/gateway/docs/texts.ts has no title for ${name}, which a path begins with`],
    );
    expect(untitled).toEqual([]);
    expect(document.tags.map(({ name }) => name).sort()).toEqual(Object.keys(tagTitles).sort());
  });

  test("has no dangling references", () => {
    const named = new Set(Object.keys(document.components.schemas));
    const missing = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].filter(([, name]) => !named.has(name!));
    expect(missing).toEqual([]);
  });
});
