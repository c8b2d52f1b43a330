/** Embedded: a process killed between the commit of a change and the publishing of its event has lost neither. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { factory } from "../support/people/factory.ts";
import { startEmbedded, temporaryFolder } from "../support/servers/server.ts";

function rowsIn(dataDir: string, query: string): Record<string, unknown>[] {
  const file = new DatabaseSync(join(dataDir, "parley.db"), { readOnly: true });
  try {
    return file.prepare(query).all();
  } finally {
    file.close();
  }
}
/** What chat knows of how people stand to each other. */
const relationsIn = (dataDir: string): string[] =>
  rowsIn(dataDir, "SELECT doc ->> '$.state' AS state FROM chat_relations").map(({ state }) => String(state));
/** How many events wait to be published, of all services. */
function waitingIn(dataDir: string): number {
  const outboxes = rowsIn(dataDir, "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '*_outbox'");
  expect(outboxes.length).toBeGreaterThan(0);
  return outboxes.flatMap(({ name }) => rowsIn(dataDir, `SELECT 1 FROM "${String(name)}"`)).length;
}

test("a rejection whose event was not published yet reaches chat after the restart", async () => {
  const dataDir = await temporaryFolder();
  const first = await startEmbedded({ dataDir });
  const made = factory(() => [first.url]);
  const [a, b] = await made.people(2);
  const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
  await eventually("all events so far are out", () => waitingIn(dataDir) === 0, 60_000);
  await first.stop();

  // Of an acceptance chat is told directly too; of a rejection it learns by the event alone.
  const doomed = await startEmbedded({ dataDir, env: { FAULTS: "outbox.publish=kill" } });
  await b
    .at(doomed.url)
    .patch(`/request/respond/${_id}`, { status: "rejected" })
    .catch(() => undefined);
  expect(await doomed.exited).toEqual({ code: null, signal: "SIGKILL" });
  expect(relationsIn(dataDir)).toEqual([]);

  const third = await startEmbedded({ dataDir });
  // The dead relay's lease lasts 10 s, and the next look for what others left may be 5 s later.
  await eventually("chat knows of the rejection", () => relationsIn(dataDir).length > 0, 60_000);
  expect(relationsIn(dataDir)).toEqual(["rejected"]);
  expect((await b.at(third.url).get("/request/invites/received")).body.data).toMatchObject([{ _id, status: "rejected" }]);
  await third.stop();
  await rm(dataDir, { recursive: true });
});
