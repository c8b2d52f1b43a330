/** The security log of a mesh: each event is logged on the node where it happens, with the request id of the gateway. */
import { expect, test } from "@jest/globals";
import { call } from "../../../core/contract/call.ts";
import { admin } from "../../../services/admin/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { joinMesh } from "../../support/mesh/operator-broker.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import { securityLines, securityStory } from "../../support/operations/security-log-suite.ts";

describeMesh("The security log of a mesh", () => {
  const own = ownMesh({ env: { LIMITS: "on", TRUST_PROXY: "1", LOG_LEVEL: "trace" } });
  const log = () => [...own.mesh.nodes.values()].map((node) => node.log()).join("\n");

  securityStory({ made: () => own.made, url: () => own.mesh.gateways[0], log });

  test("has a line for an operator's replay of dead letters, with the operator's node", async () => {
    const operator = await joinMesh(own.mesh, ["admin"]);
    try {
      expect(await call(operator, admin.replay, { group: "chat" })).toBe(0);
    } finally {
      await operator.stop();
    }
    const line = await eventually("the line is logged", () =>
      securityLines(own.mesh.node("request").log()).find(({ security }) => security === "admin_action"),
    );
    expect(line).toMatchObject({ action: "admin.replay", group: "chat", letters: 0, caller: operator.nodeID });
  });
});
