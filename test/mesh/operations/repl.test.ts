/** `npm run repl` in a running mesh: an operator lists nodes and services, and calls an action as a user. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { startMesh, usualNodes, type TestMesh } from "../../support/mesh/mesh.ts";
import { startRepl, type Repl } from "../../support/servers/repl.ts";

describeMesh("The REPL in a mesh", () => {
  let mesh: TestMesh;
  let repl: Repl;

  beforeAll(async () => {
    mesh = await startMesh();
    repl = await startRepl(mesh.env);
  });
  afterAll(async () => {
    await repl.stop();
    await mesh.stop();
  });

  test("lists nodes and services, and calls an action as a user", async () => {
    const { a, chatId } = await factory(() => mesh.gateways).pair();
    const nodes = Object.keys(usualNodes).length + 1;
    const all = new RegExp(`(ONLINE[\\s\\S]*){${nodes}}`);
    // Repeat: the list lacks nodes that the REPL has not discovered yet.
    await eventually("the REPL lists every node", () => repl.type("nodes", all, 5000).then(() => true));
    await repl.type("services", /gateway[\s\S]*profile/);
    await repl.type(`call chat.myChats '{}' '{"user":{"id":"${a.id}","sessionId":"repl"}}'`, new RegExp(chatId));
    await repl.type("call chat.myChats", /Log in first/);
    await repl.type(`call admin.deadLetters '{"group":"chat"}'`, /\[\]/);
    expect(mesh.nodes.size).toBe(Object.keys(usualNodes).length);
  });
});
