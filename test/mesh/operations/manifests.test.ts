/** Starts a process for each Deployment of the Kubernetes manifests, with the environment and secret files that they define. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { serviceNames } from "../../../core/service-names.ts";
import { eventually, within } from "../../support/eventually.ts";
import { amqpUrl, mongoUri, redisUrl } from "../../support/infrastructure/infra.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { environmentOf, nodeContainer, nodesOf, parseManifests, type Probe } from "../../support/manifests/manifest.ts";
import { render } from "../../support/manifests/render.ts";
import { cleanUpMesh } from "../../support/mesh/cleanup.ts";
import { freePort, startNode, type NodeProcess } from "../../support/servers/server.ts";

/** A process started as a Deployment's pod would be. */
interface Started {
  readonly node: NodeProcess;
  readonly probes: readonly (Probe | undefined)[];
  readonly graceMs: number;
}

describeWith(["amqp", "redis", "mongo", "kustomize"], "Nodes started as in the manifests", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-mounted-"));
  const secrets = { AMQP_URL: "", REDIS_URL: "", MONGO_URI: "", JWT_SECRET: randomBytes(32).toString("hex") };
  const MESH = `test-${randomBytes(5).toString("hex")}`;
  let started: Started[] = [];
  const status = async ({ node }: Started, path: string) => (await fetch(`${node.statusUrl}${path}`)).status;

  beforeAll(async () => {
    Object.assign(secrets, { AMQP_URL: amqpUrl(), REDIS_URL: redisUrl(), MONGO_URI: mongoUri() });
    for (const [name, value] of Object.entries(secrets)) {
      writeFileSync(join(folder, name), value);
      chmodSync(join(folder, name), 0o440);
    }
    const manifests = parseManifests(render("k8s/overlays/production"));
    started = await Promise.all(
      nodesOf(manifests).map(async (deployment) => {
        const container = nodeContainer(deployment);
        const mounted = Object.entries(environmentOf(manifests, container)).map(
          ([name, value]) => [name, value.replace("/run/secrets/parley", folder)] as const,
        );
        const [port, adminPort] = [await freePort(), await freePort()];
        const env = { ...Object.fromEntries(mounted), MESH, HOST: "127.0.0.1", PORT: String(port), ADMIN_PORT: String(adminPort) };
        return {
          node: startNode(deployment.metadata.name, env, adminPort),
          probes: [container.startupProbe, container.readinessProbe, container.livenessProbe],
          graceMs: (deployment.spec.template.spec.terminationGracePeriodSeconds ?? 0) * 1000,
        };
      }),
    );
  });
  afterAll(async () => {
    await Promise.all(started.map(({ node }) => node.stop()));
    rmSync(folder, { recursive: true });
    await cleanUpMesh({ ...secrets, MESH });
  });

  test("become ready, and every probe succeeds", async () => {
    expect(started.length).toBe(serviceNames.length);
    await Promise.all(started.map(({ node }) => node.ready(180_000)));
    for (const one of started) {
      for (const probe of one.probes) expect(await status(one, probe?.httpGet?.path ?? "")).toBe(200);
    }
  });

  test("are alive but not ready while they drain after SIGTERM, and exit within the grace period", async () => {
    const gateway = started.find(({ node }) => node.role === "gateway")!;
    gateway.node.signal("SIGTERM");
    await eventually("the gateway is not ready", async () => (await status(gateway, "/ready")) === 503);
    expect(await status(gateway, "/health")).toBe(200);
    expect(await within(gateway.graceMs, "the gateway exits", gateway.node.exited)).toEqual({ code: 0, signal: null });
  });
});
