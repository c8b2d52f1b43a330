/** `npm run repl` joined to a running mesh: an operator sees its nodes and services, and calls an action as a user. */
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

  test("nodes, services, and an action called as a user", async () => {
    const { a, chatId } = await factory(() => mesh.gateways).pair();
    const nodes = Object.keys(usualNodes).length + 1;
    const all = new RegExp(`(ONLINE[\\s\\S]*){${nodes}}`);
    // A node that the REPL has not heard of yet is missing in what is printed now.
    await eventually("it lists every node", () => repl.type("nodes", all, 5000).then(() => true));
    await repl.type("services", /gateway[\s\S]*profile/);
    await repl.type(`call chat.myChats '{}' '{"user":{"id":"${a.id}","sessionId":"repl"}}'`, new RegExp(chatId));
    await repl.type("call chat.myChats", /Log in first/);
    await repl.type(`call admin.deadLetters '{"group":"chat"}'`, /\[\]/);
    expect(mesh.nodes.size).toBe(Object.keys(usualNodes).length);
  });
});
