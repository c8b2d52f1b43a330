/** Runs the security log's suite on an embedded server that logs at level trace, so that secrets would show in any line. */
import { afterAll, beforeAll } from "@jest/globals";
import { factory, type Factory } from "../../support/people/factory.ts";
import { securityStory } from "../../support/operations/security-log-suite.ts";
import { startEmbedded, type EmbeddedServer } from "../../support/servers/server.ts";

let server: EmbeddedServer;
let made: Factory;

beforeAll(async () => {
  server = await startEmbedded({ env: { LIMITS: "on", TRUST_PROXY: "1", LOG_LEVEL: "trace" } });
  made = factory(() => [server.url]);
});
afterAll(async () => {
  made.disconnectAll();
  await server.stop();
});

securityStory({ made: () => made, url: () => server.url, log: () => server.log() });
