/** Prometheus scrapes a mesh under load: the metrics are well formed, and every dashboard panel and alert has data. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { alerts, panelQueries, rules, valueOf } from "../../support/operations/monitoring-files.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import { describeWithPrometheus, promtool, startPrometheus, type Prometheus } from "../../support/infrastructure/prometheus.ts";

/** Shortens the time ranges of panels and alerts to one minute, which is still longer than a scrape may be late on a busy machine. */
const shortened = (expr: string): string =>
  expr
    .replaceAll("$__rate_interval", "60s")
    .replaceAll(/\[\d+m\]/g, "[60s]")
    .replaceAll(/offset \d+m/g, "offset 5s")
    .replaceAll('"$instance"', '".*"');
const roleOf = (node: string): string => /^(gateway|chat|media)/.exec(node)?.[1] ?? "core";
const withinMs = 120_000;

describeMesh("A mesh under load", () => {
  const own = ownMesh();
  // Nested, so that its load and its Prometheus end before the mesh does.
  describeWithPrometheus("that a Prometheus scrapes", () => {
    const { made } = own;
    let prometheus: Prometheus;
    let working: Promise<void>;
    const ending = new AbortController();

    beforeAll(async () => {
      const nodes = [...own.mesh.nodes.values()];
      const targets = Object.groupBy(nodes, ({ role }) => roleOf(role));
      const hosts = Object.entries(targets).map(
        ([role, group = []]) => [role, group.map(({ statusUrl }) => new URL(statusUrl).host)] as const,
      );
      const recorded = rules.map(({ alert, record, expr }) => ({
        ...(alert === undefined ? { record } : { alert }),
        expr: shortened(expr),
      }));
      prometheus = await startPrometheus(Object.fromEntries(hosts), recorded);
      working = keepBusy();
    });
    afterAll(async () => {
      ending.abort();
      await working;
      await prometheus.stop();
    });

    /** Three users of a group send, read and fetch their profiles, over both gateways. */
    async function keepBusy(): Promise<void> {
      const { members, chatId } = await made.group(3);
      const lines = await Promise.all(members.map((member) => member.connectAndSubscribe()));
      for (let n = 1; !ending.signal.aborted; n++) {
        // Some calls may fail on a busy machine. This does not matter here.
        await Promise.allSettled(
          lines.map(async (line, i) => {
            await line.callOrThrow("sendMessage", { chatId, text: `Message ${n} of ${i}` });
            await line.callOrThrow("markRead", { chatId, n });
            await members[i]!.get("/profile/getProfile");
            await members[i]!.get(`/chat/messages/${chatId}`);
          }),
        );
      }
    }

    /** Waits until the query returns a number. @returns undefined, or the problem */
    async function fault(where: string, expr: string): Promise<string | undefined> {
      const answers = async () => (await prometheus.query(shortened(expr))).some(({ value }) => Number.isFinite(value));
      return eventually(where, answers, withinMs).then(
        () => undefined,
        (error: unknown) => `${where}: ${expr} (${((error as Error).cause as Error | undefined)?.message ?? "no series"})`,
      );
    }
    const faults = async (queries: readonly { where: string; expr: string }[]) =>
      (await Promise.all(queries.map(({ where, expr }) => fault(where, expr)))).filter((each) => each !== undefined);

    test("exports metrics that promtool accepts, from nodes of every role", async () => {
      for (const { role, statusUrl } of own.mesh.nodes.values()) {
        const text = await (await fetch(`${statusUrl}/metrics`)).text();
        expect({ role, ...promtool(["check", "metrics"], text) }).toEqual({ role, ok: true, said: "" });
      }
    });
    test("has data for every query of every dashboard panel", async () => {
      expect(await faults(panelQueries)).toEqual([]);
    });
    test("has a value for every alert", async () => {
      expect(await faults(alerts.map((alert) => ({ where: alert.alert, expr: valueOf(alert) })))).toEqual([]);
    });
    test("fires no alert but the one for the missing backup", async () => {
      const firing = async () => (await prometheus.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric["alertname"]);
      // These can fire because this machine is busy or its disk is full.
      const slow = ["ParleySendSlow", "ParleyEventLoopDelayed", "ParleyNodeUnreachable", "ParleyDiskFull"];
      await eventually(
        "only the backup is missing",
        async () => (await firing()).filter((name) => !slow.includes(name!)).join() === "ParleyBackupOld",
      );
    });
  });
});
