/** The metrics of an embedded server. For those of a mesh see test/mesh/operations/prometheus.test.ts. */
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

test("the metrics do not contain the machine's user name, folders or addresses", () => {
  const { homedir, username } = userInfo();
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.flatMap(({ mac, address }) => [mac, address]));
  const folders = [homedir, server.dataDir, process.execPath].filter((folder) => folder.length > 1);
  for (const secret of [...folders, `"${username}"`, ...addresses]) expect(text).not.toContain(secret);
});
test("the metrics cover the store's group commits, the disk, the queues and the backup", () => {
  expect(text).toMatch(/^parley_store_group_commits_count [1-9]/m);
  expect(text).toMatch(/^parley_disk_free_bytes\{disk="data"\} [1-9]/m);
  expect(text).toMatch(/^parley_dead_letters\{group="chat"\} 0$/m);
  expect(text).toMatch(/^parley_backup_last_success_timestamp_seconds 0$/m);
});
describeWithPrometheus("With promtool", () => {
  test("promtool finds no problem in the metrics", () => {
    expect(promtool(["check", "metrics"], text)).toEqual({ ok: true, said: "" });
  });
});
