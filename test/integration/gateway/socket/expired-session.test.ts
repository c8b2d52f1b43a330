/** Tests that a socket is notified and disconnected when its session expires. */
import { expect, test } from "@jest/globals";
import { newId } from "../../../../core/ids.ts";
import { firstEra } from "../../../../core/node/installation.ts";
import { signToken } from "../../../../core/security/access-tokens.ts";
import { connect } from "../../../support/people/person.ts";
import { startEmbedded } from "../../../support/servers/server.ts";

const secret = "a-secret-of-this-test-alone-and-long";

test("defect 8: a socket does not outlive its session", async () => {
  const server = await startEmbedded({ env: { JWT_SECRET: secret } });
  const now = Date.now();
  const token = signToken({ userId: newId(), sessionId: newId(), era: firstEra, expiresAt: now + 8000 }, [secret], now);
  const line = await connect(server.url, { auth: { token } });
  expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
  expect(await line.waitFor("sessionEnded", undefined, 30_000)).toEqual({ reason: "expired" });
  await line.waitFor("disconnect");
  await expect(connect(server.url, { auth: { token } })).rejects.toThrow("Invalid or expired token");
  await server.stop();
});
