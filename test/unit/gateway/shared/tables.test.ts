/** Tests that the gateway's tables take their params from contracts, so that a new param is public or does not compile. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { contract, returns } from "../../../../core/contract/contract.ts";
import { newId } from "../../../../core/ids.ts";
import { id } from "../../../../core/contract/rules.ts";
import type { AdmittedFile } from "../../../../services/media/contract.ts";
import { routes } from "../../../../services/gateway/http/routes/index.ts";
import { actionInput, publicRules, row, type RouteRow } from "../../../../services/gateway/http/table.ts";
import { clientEvents } from "../../../../services/gateway/socket/client-events.ts";

const shelf = contract("shelf", {
  put: {
    summary: "Put a book on a shelf",
    access: "user",
    params: {
      shelfId: id,
      title: { type: "string" },
      isNew: { type: "boolean" },
      cover: { type: "string", nullable: true, optional: true },
    },
    result: returns<null>(),
  },
});
const basics = { method: "PUT", path: "/shelves/:shelfId", action: shelf.put, present: () => ({}) } as const;
const picture = { type: "string", max: 9, optional: true, nullable: true } as const;

test("the table has every row of every file in routes/", async () => {
  const folder = new URL("../../../../services/gateway/http/routes/", import.meta.url);
  const missing: string[] = [];
  for (const file of readdirSync(folder).filter((name) => name !== "index.ts")) {
    const exported = Object.values((await import(new URL(file, folder).href)) as Record<string, unknown>);
    const rows = exported.flatMap((value) => (Array.isArray(value) ? (value as RouteRow[]) : []));
    const left = rows.filter((found) => !routes.includes(found));
    missing.push(...left.map(({ method, path }) => `${method} ${path} of ${file} is not in routes/index.ts: add the rows of the file`));
  }
  expect(missing).toEqual([]);
});

describe("a route", () => {
  test("takes the action's params, except those that it sets itself, and prefers its own rule to the action's", () => {
    const made = row({
      ...basics,
      params: { cover: picture, thumb: { type: "boolean", optional: true } },
      sets: { isNew: () => true, cover: ({ cover, thumb }) => `${cover}, ${thumb === true ? "small" : "large"}` },
    });
    const { shelfId, title } = shelf.put.params;
    expect(publicRules(made)).toEqual({ shelfId, title, cover: picture, thumb: { type: "boolean", optional: true } });
    const given = { shelfId: newId(), title: "Emma", cover: "red", thumb: true };
    expect(actionInput(made, given)).toEqual({ shelfId: given.shelfId, title: "Emma", isNew: true, cover: "red, small" });
  });

  test("that contradicts its action's params does not compile", () => {
    const rows = [
      () => row({ ...basics, sets: { isNew: () => false } }),
      // @ts-expect-error it sets a param that the action does not have
      () => row({ ...basics, sets: { isOld: () => true } }),
      // @ts-expect-error a value of another type
      () => row({ ...basics, sets: { isNew: () => "yes" } }),
      // @ts-expect-error its own param replaces one of the action's, and it does not say what that one becomes
      () => row({ ...basics, params: { cover: picture } }),
      // @ts-expect-error the same, beside another one that it sets
      () => row({ ...basics, params: { cover: picture }, sets: { isNew: () => true } }),
    ];
    expect(rows).toHaveLength(5);
  });

  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "%s passes on a param that its action gains",
    (_, route) => {
      const added = { type: "string", optional: true } as const;
      const grown: RouteRow = { ...route, action: { ...route.action, params: { ...(route.action.params as object), added } } };
      expect(publicRules(grown)).toEqual({ ...publicRules(route), added });
      const taken = { file: {} as AdmittedFile, sha256: "" };
      expect(actionInput(grown, { added: "new" }, taken)).toMatchObject({ added: "new" });
    },
  );
});

/** What `sendMessage` makes itself: one call sends the messages of several events. */
const sets: Readonly<Record<string, readonly string[]>> = { sendMessage: ["messages"] };

test.each(clientEvents.map((row) => [row.event, row] as const))(
  "the event %s takes all params of its action",
  (event, { action, rules }) => {
    const params = Object.keys(action.params as object).filter((name) => sets[event]?.includes(name) !== true);
    expect(Object.keys(rules as object)).toEqual(expect.arrayContaining(params));
  },
);
