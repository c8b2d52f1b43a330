/**
 * `npm run backup -- --to FILE`: writes one file with everything but secrets while the nodes run. `--move` backs up a stopped source that
 * continues elsewhere. docs/backup.md lists the contents.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { backUp } from "../core/backup/backup.ts";
import { openInstallationData } from "../core/backup/installation-data.ts";
import { CommandError } from "../core/errors.ts";
import { followers } from "../services/followers.ts";
import { run } from "./operator/command.ts";
import { allServiceData } from "./operator/service-data.ts";
import { summary } from "./operator/summary.ts";

const usage = "Usage: npm run backup -- --to FILE [--move]";

function readArguments(): { to: string; move: boolean } {
  const { to, move } = parseArgs({ options: { to: { type: "string" }, move: { type: "boolean", default: false } } }).values;
  if (to === undefined || to === "") throw new CommandError(usage);
  return { to, move };
}

await run(async ({ config, version, log, say, signal }) => {
  const { to, move } = readArguments();
  const began = performance.now();
  const declared = await allServiceData();
  const data = await openInstallationData(config, followers, move ? "exclusive" : "beside", log);
  try {
    const manifest = await backUp({ data, declared, file: resolve(to), version, isMove: move, say, signal });
    say(`${to} holds ${summary(manifest)}; it took ${((performance.now() - began) / 1000).toFixed(1)} s`);
    if (manifest.blobs.missing.length > 0)
      say(`${manifest.blobs.missing.length} files had no bytes in the storage; the manifest lists them`);
    if (move) say("The source is marked as moved: its nodes no longer start");
  } finally {
    await data.close();
  }
});
