/** What an embedded server exports. What nodes of a mesh do: test/mesh/operations/prometheus.test.ts. */
import { networkInterfaces, userInfo } from "node:os";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { describeWithPrometheus, promtool } from "../../support/infrastructure/prometheus.ts";
import { startEmbedded, type EmbeddedServer } from "../../support/servers/server.ts";

let server: EmbeddedServer;
let text: string;
beforeAll(async () => {
  server = await startEmbedded();
  text = await (await fetch(`${server.url}/metrics`)).text();
});
afterAll(() => server.stop());

test("it says nothing of the machine's user, folders and addresses", () => {
  const { homedir, username } = userInfo();
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.flatMap(({ mac, address }) => [mac, address]));
  const folders = [homedir, server.dataDir, process.execPath].filter((folder) => folder.length > 1);
  for (const secret of [...folders, `"${username}"`, ...addresses]) expect(text).not.toContain(secret);
});
test("it has its store's groups, its disk and its queues", () => {
  expect(text).toMatch(/^parley_store_group_commits_count [1-9]/m);
  expect(text).toMatch(/^parley_disk_free_bytes\{disk="data"\} [1-9]/m);
  expect(text).toMatch(/^parley_dead_letters\{group="chat"\} 0$/m);
  expect(text).toMatch(/^parley_backup_last_success_timestamp_seconds 0$/m);
});
describeWithPrometheus("promtool", () => {
  test("has nothing to say against it", () => {
    expect(promtool(["check", "metrics"], text)).toEqual({ ok: true, said: "" });
  });
});
