/** README.md and docs/protocol.md name everything that a client can use. The generated documents are at /docs; these pages are written by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { readAnswers } from "../../../services/gateway/docs/answers.ts";
import { routes } from "../../../services/gateway/http/routes/index.ts";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { serverEvents } from "../../../services/gateway/socket/server-events.ts";

const pageOf = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
const readme = pageOf("README.md");
const protocol = pageOf("docs/protocol.md");
const lacking = (page: string, names: readonly string[]): string[] => names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page));

describe("Names that clients use are documented", () => {
  const events = [...clientEvents.map(({ event }) => event), ...Object.keys(serverEvents)];

  test("each socket event in README.md and in docs/protocol.md", () => {
    expect(events.length).toBeGreaterThan(19);
    expect({ readme: lacking(readme, events), protocol: lacking(protocol, events) }).toEqual({ readme: [], protocol: [] });
  });

  test("the last part of each route's path in README.md", () => {
    const parts = routes.map(({ path }) => path.split("/").findLast((part) => !part.startsWith(":") && !part.startsWith("{"))!);
    expect(lacking(readme, parts)).toEqual([]);
  });

  test.each(["Message", "MessageFile", "Chat", "Receipt"])("each field of %s in docs/protocol.md", (document) => {
    const { properties } = readAnswers().schemas[document] as { properties: object };
    expect(lacking(protocol, Object.keys(properties))).toEqual([]);
  });
});
