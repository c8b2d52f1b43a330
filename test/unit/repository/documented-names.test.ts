/**
 * README.md, docs/protocol.md and docs/client.md name everything that a client can use. The generated documents are at /docs; these pages
 * are written by hand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import ts from "typescript";
import { readAnswers } from "../../../services/gateway/docs/answers.ts";
import { routes } from "../../../services/gateway/http/routes/index.ts";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { serverEvents } from "../../../services/gateway/socket/server-events.ts";

const pageOf = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
const readme = pageOf("README.md");
const protocol = pageOf("docs/protocol.md");
const clientPage = pageOf("docs/client.md");
const lacking = (page: string, names: readonly string[]): string[] => names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page));

/** The files of a folder, each with the class that it exports. */
const classesIn = (folder: string): [string, string][] =>
  readdirSync(new URL(`../../../${folder}`, import.meta.url)).flatMap((name) => {
    const file = `${folder}/${name}`;
    return [...pageOf(file).matchAll(/^export class (\w+)/gm)].map(([, exported]): [string, string] => [file, exported!]);
  });

/** The public members of a class or an interface of the client library. */
function membersOf(file: string, name: string): string[] {
  const source = ts.createSourceFile(file, pageOf(file), ts.ScriptTarget.Latest, true);
  const declarations = source.statements.filter((one) => ts.isClassDeclaration(one) || ts.isInterfaceDeclaration(one));
  const members: readonly (ts.ClassElement | ts.TypeElement)[] = declarations.find((one) => one.name?.text === name)?.members ?? [];
  return members.flatMap((member) => {
    const isPrivate = (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;
    return member.name === undefined || isPrivate ? [] : [member.name.getText()];
  });
}

describe("Names that clients use are documented", () => {
  const events = [...clientEvents.map(({ event }) => event), ...Object.keys(serverEvents)];

  test("each socket event in README.md and in docs/protocol.md", () => {
    expect(events.length).toBeGreaterThan(19);
    expect({ readme: lacking(readme, events), protocol: lacking(protocol, events) }).toEqual({ readme: [], protocol: [] });
  });

  test("the last part of each route's path in README.md", () => {
    const parts = routes.map(({ path }) => path.split("/").findLast((part) => !part.startsWith(":") && !part.startsWith("{"))!);
    const table = readme.slice(readme.indexOf("### HTTP"), readme.indexOf("### Socket.IO"));
    const paths = [...table.matchAll(/`[^`]+`/g)].join(" ");
    expect(lacking(paths, parts)).toEqual([]);
  });

  test.each(["Message", "MessageFile", "Chat", "Receipt"])("each field of %s in docs/protocol.md", (document) => {
    const { properties } = readAnswers().schemas[document] as { properties: object };
    expect(lacking(protocol, Object.keys(properties))).toEqual([]);
  });

  test("each field of Profile in docs/client.md", () => {
    const { properties } = readAnswers().schemas["Profile"] as { properties: object };
    expect(lacking(clientPage, Object.keys(properties))).toEqual([]);
  });

  test.each([
    ["client/parley.ts", "Parley"],
    ...classesIn("client/http").filter(([, name]) => name !== "HttpClient"),
    ["client/session.ts", "Events"],
    ["client/chats/chats.ts", "ChatEvents"],
  ])("each public member of %s's %s in docs/client.md", (file, name) => {
    const members = membersOf(file, name);
    expect(members).not.toEqual([]);
    // As code, because many of the names are also words: `end(`, `me.` or `state` with its backtick.
    expect(members.filter((member) => !new RegExp(`\\b${member}[(.\`]`).test(clientPage))).toEqual([]);
  });
});
