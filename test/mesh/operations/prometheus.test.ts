/** A real Prometheus beside a mesh at work: what nodes say is what it expects, and every panel and alert has something to show. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { alerts, panelQueries, rules, valueOf } from "../../support/operations/monitoring-files.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import { describeWithPrometheus, promtool, startPrometheus, type Prometheus } from "../../support/infrastructure/prometheus.ts";

/** Panels and alerts look many minutes back, a test one: more than any scrape may be late on a busy machine. */
const shortened = (expr: string): string =>
  expr
    .replaceAll("$__rate_interval", "60s")
    .replaceAll(/\[\d+m\]/g, "[60s]")
    .replaceAll(/offset \d+m/g, "offset 5s")
    .replaceAll('"$instance"', '".*"');
const roleOf = (node: string): string => /^(gateway|chat|media)/.exec(node)?.[1] ?? "core";
const withinMs = 120_000;

describeMesh("A mesh at work", () => {
  const own = ownMesh();
  // The inner of the two, so that what it started has ended before the mesh does.
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
      working = work();
    });
    afterAll(async () => {
      ending.abort();
      await working;
      await prometheus.stop();
    });

    /** Three people in a group talk, read, and ask for their profiles, over both gateways. */
    async function work(): Promise<void> {
      const { members, chatId } = await made.group(3);
      const lines = await Promise.all(members.map((member) => member.connectAndSubscribe()));
      for (let n = 1; !ending.signal.aborted; n++) {
        // On a machine that is busy with other things some may come to nothing: that is no matter here.
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

    /** Waits until the query answers with a number. @returns undefined, or what is wrong with it */
    async function fault(where: string, expr: string): Promise<string | undefined> {
      const answers = async () => (await prometheus.query(shortened(expr))).some(({ value }) => Number.isFinite(value));
      return eventually(where, answers, withinMs).then(
        () => undefined,
        (error: unknown) => `${where}: ${expr} (${((error as Error).cause as Error | undefined)?.message ?? "no series"})`,
      );
    }
    const faults = async (queries: readonly { where: string; expr: string }[]) =>
      (await Promise.all(queries.map(({ where, expr }) => fault(where, expr)))).filter((each) => each !== undefined);

    test("promtool has nothing to say against what a node of any role exports", async () => {
      for (const { role, statusUrl } of own.mesh.nodes.values()) {
        const text = await (await fetch(`${statusUrl}/metrics`)).text();
        expect({ role, ...promtool(["check", "metrics"], text) }).toEqual({ role, ok: true, said: "" });
      }
    });
    test("every query of every panel answers with a number", async () => {
      expect(await faults(panelQueries)).toEqual([]);
    });
    test("the value of every alert is there", async () => {
      expect(await faults(alerts.map((alert) => ({ where: alert.alert, expr: valueOf(alert) })))).toEqual([]);
    });
    test("a mesh that is well has no alert, but for the backup that it does not have", async () => {
      const firing = async () => (await prometheus.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric["alertname"]);
      // What this machine is too busy or too full for is not the mesh's fault.
      const slow = ["ParleySendSlow", "ParleyEventLoopDelayed", "ParleyNodeUnreachable", "ParleyDiskFull"];
      await eventually(
        "only the backup is missing",
        async () => (await firing()).filter((name) => !slow.includes(name!)).join() === "ParleyBackupOld",
      );
    });
  });
});
