/** Checks the profile `monitoring`, without Grafana: Prometheus accepts its configuration and scrapes every node. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import type { ComposeProject } from "./project.ts";

interface ScrapeTargets {
  readonly data: {
    readonly activeTargets: readonly { readonly health: string; readonly scrapeUrl: string; readonly lastError: string }[];
  };
}

/** @returns the number of scraped nodes, as text */
export async function areScraped(project: ComposeProject): Promise<string> {
  await project.compose(["--profile", "monitoring", "config", "-q"]);
  await project.compose(["--profile", "monitoring", "up", "-d", "prometheus", "alertmanager"]);
  const nodes = (await project.containers()).filter(({ isOurs, isRunning }) => isOurs && isRunning).length;
  const { addresses } = await project.container("prometheus");
  let last: unknown;
  const targets = async () => {
    const answer = await fetch(`http://${addresses["inner"]}:9090/api/v1/targets?state=active`, { signal: AbortSignal.timeout(5000) });
    last = ((await answer.json()) as ScrapeTargets).data.activeTargets.filter(({ scrapeUrl }) => scrapeUrl.includes(":3001/"));
    return (last as ScrapeTargets["data"]["activeTargets"]).filter(({ health }) => health === "up").length === nodes;
  };
  await eventually("every node is scraped", targets, 90_000).catch(async (error: unknown) => {
    throw new Error(`${JSON.stringify(last)}\n${await project.compose(["logs", "--tail", "20", "prometheus"])}`, { cause: error });
  });
  assert.equal((await project.container("alertmanager")).isRunning, true);
  return `${nodes} nodes scraped`;
}
