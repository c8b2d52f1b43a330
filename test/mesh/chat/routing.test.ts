/** All gateways send the calls about one chat to the same chat node. Two nodes that alternate would cause conflicts. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import type { NodeProcess } from "../../support/servers/server.ts";

const messages = 10;

/** How many calls of `chat.send` a node has answered. */
async function sendsOf({ statusUrl }: NodeProcess): Promise<number> {
  const metrics = await (await fetch(`${statusUrl}/metrics`)).text();
  const counted = /^parley_call_seconds_count\{action="chat\.send",kind="answered"\} (\d+)$/m.exec(metrics);
  return Number(counted?.[1] ?? 0);
}

/** How many nodes a node knows, including itself. */
async function nodesOf({ statusUrl }: NodeProcess): Promise<number> {
  const metrics = await (await fetch(`${statusUrl}/metrics`)).text();
  return Number(/^parley_nodes_seen (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

describeMesh("Routing by chat", () => {
  const own = ownMesh();

  test("sends all messages of one chat to one node, and uses both nodes for many chats", async () => {
    const nodes = [own.mesh.node("chatA"), own.mesh.node("chatB")];
    const counts = () => Promise.all(nodes.map(sendsOf));
    for (const gateway of ["gatewayA", "gatewayB"]) {
      await eventually("the gateway knows every node", async () => (await nodesOf(own.mesh.node(gateway))) === own.mesh.nodes.size);
    }
    const used = new Set<number>();
    let repeats = 0;
    for (let chat = 0; chat < 16 + repeats; chat++) {
      const { members, chatId } = await own.made.group(3);
      const before = await counts();
      for (let i = 0; i < messages; i++) {
        const sender = members[i % 2]!.at(own.mesh.gateways[i % 2]!);
        expect((await sender.post("/chat/messages", { chatId, text: `Message ${i}` })).status).toBe(201);
      }
      const shares = (await counts()).map((count, node) => count - before[node]!);
      // A node that was stalled for some seconds is skipped for a while. Ignore a chat to which that happened.
      if (shares.every((share) => share > 0) && ++repeats <= 3) continue;
      expect(shares.toSorted((a, b) => a - b)).toEqual([0, messages]);
      used.add(shares.indexOf(messages));
    }
    expect(used.size).toBe(2);
  });
});
