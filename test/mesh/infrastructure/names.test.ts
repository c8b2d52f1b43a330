/**
 * Compares the names that travel between nodes or are stored with the list in names.json. Nodes of two releases share them during a rolling
 * upgrade, so a name changes in two releases (CONTRIBUTING.md, "Changing what is stored"). After a deliberate change, run this file with
 * UPDATE_NAMES=1 and review the difference.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { format } from "prettier";
import { readAnswers } from "../../../services/gateway/docs/answers.ts";
import { openApi } from "../../../services/gateway/docs/openapi.ts";
import { routes } from "../../../services/gateway/http/routes/index.ts";
import { clientEventExamples, eventTriggers, eventExampleContext } from "../../support/api/event-examples.ts";
import { routeExamples, type RouteExampleContext } from "../../support/api/route-examples.ts";
import { DocumentedHttp } from "../../support/api/documented.ts";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { freshEmail } from "../../support/people/factory.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import { requestJson, Person } from "../../support/people/person.ts";
import { freePort } from "../../support/servers/server.ts";
import { declaredNames, observeNames, type NamesByKind } from "../../support/mesh/travelling-names.ts";

const file = new URL("names.json", import.meta.url);
const listed = JSON.parse(readFileSync(file, "utf8")) as NamesByKind;
const isUpdate = process.env["UPDATE_NAMES"] === "1";

describeMesh("The names that travel or are stored", () => {
  const own = ownMesh();

  test("are exactly those in names.json", async () => {
    const observed = await observeNames(own.mesh);
    try {
      await useEverything();
      const declared = await declaredNames();
      const expected = isUpdate ? {} : pick(listed, Object.keys(await observed.names()));
      if (isUpdate) await pause(10_000);
      await eventually("each listed name was seen", async () => lacking(expected, await observed.names()).length === 0, 60_000).catch(
        () => undefined,
      );
      const seen = await observed.names();
      if (isUpdate) {
        writeFileSync(file, await format(JSON.stringify({ ...declared, ...seen }, null, 2), { parser: "json", printWidth: 140 }));
        return;
      }
      const [names, all] = [
        { ...declared, ...seen },
        { ...pick(listed, Object.keys(declared)), ...expected },
      ];
      expect({ gone: lacking(all, names), added: lacking(names, all) }).toEqual({ gone: [], added: [] });
    } finally {
      await observed.stop();
    }
  }, 300_000);

  /** Calls every route, causes every socket event, and uses every rate limit on a gateway that has limits. */
  async function useEverything(): Promise<void> {
    const { mesh, made } = own;
    const world = { ...made, gateways: () => mesh.gateways, processes: () => [] };
    const http = new DocumentedHttp(openApi(routes, readAnswers(), "0.0.0"));
    // Each example makes its own users, so it can run again if a busy machine answered 503.
    for (const [name, walk] of Object.entries(routeExamples)) {
      const ask: RouteExampleContext["ask"] = (who, _status, request = {}) => http.ask(mesh.gateways[0], name, who, request);
      await eventually(name, () => walk({ world, ask }).then(() => true));
    }
    for (const [event, { accepted }] of Object.entries(clientEventExamples))
      await eventually(event, async () => {
        const example = await eventExampleContext(world);
        return example.socketA.callOrThrow(event, accepted(example)).then(() => true);
      });
    for (const [event, cause] of Object.entries(eventTriggers))
      await eventually(event, async () => Promise.resolve(cause(await eventExampleContext(world))).then(() => true));

    const port = await freePort();
    await mesh.start("counting gateway", "gateway", { PORT: String(port), LIMITS: "on" });
    const url = `http://127.0.0.1:${port}`;
    const person = new Person(url, made.stranger());
    await person.signUp();
    await person.patch("/auth/changePassword", { oldPassword: "Wrong-Horse-7", newPassword: "Correct-Horse-8" });
    await requestJson(url, "POST", "/auth/login", { body: { emailId: freshEmail(), password: "wrong" } });
    (await person.connectAndSubscribe()).socket.disconnect();
  }
});

const pick = (names: NamesByKind, kinds: readonly string[]): NamesByKind =>
  Object.fromEntries(kinds.map((kind) => [kind, names[kind] ?? []]));

/** @returns the names of `wanted` that `names` lacks, each with its kind */
const lacking = (wanted: NamesByKind, names: NamesByKind): string[] =>
  Object.entries(wanted).flatMap(([kind, list]) =>
    list.filter((name) => names[kind]?.includes(name) !== true).map((name) => `${kind}: ${name}`),
  );
