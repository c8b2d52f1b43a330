/**
 * `npm run restore -- --from FILE`: verifies a backup, then writes it into the empty store that the environment specifies. `--dry-run` only
 * verifies. `--move` continues the source's era, so that sessions and positions stay valid. docs/backup.md describes the steps.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { ServiceData } from "../core/backup/service-data.ts";
import type { BackupManifest } from "../core/backup/format.ts";
import { hasStore, openInstallationData } from "../core/backup/installation-data.ts";
import { verifyArchive } from "../core/backup/archive-reader.ts";
import { assertIsMove, assertTargetUsable, restore } from "../core/backup/restore.ts";
import { CommandError } from "../core/errors.ts";
import { followers } from "../services/followers.ts";
import { run, type Command } from "./operator/command.ts";
import { allServiceData } from "./operator/service-data.ts";
import { summary } from "./operator/summary.ts";

const usage = "Usage: npm run restore -- --from FILE [--dry-run] [--move]";

interface RestoreArguments {
  readonly from: string;
  readonly isDryRun: boolean;
  readonly isMove: boolean;
}

function readArguments(): RestoreArguments {
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({ options: { from: { type: "string" }, "dry-run": flag, move: flag } });
  if (values.from === undefined || values.from === "") throw new CommandError(usage);
  return { from: values.from, isDryRun: values["dry-run"], isMove: values.move };
}

await run(async (command) => {
  const { from, isDryRun, isMove } = readArguments();
  const file = resolve(from);
  const declared = await allServiceData();
  const manifest = await verifyArchive(file, declared);
  if (isMove) assertIsMove(manifest);
  command.say(`${from} is intact: ${summary(manifest)}, as of ${manifest.createdAt}`);
  // Opening the store would create it.
  if (isDryRun && !hasStore(command.config)) command.say("There is no store yet; the backup can be restored there");
  else await restoreInto(command, { declared, file, manifest, isDryRun, isMove });
});

interface RestoreJob extends Omit<RestoreArguments, "from"> {
  readonly declared: readonly ServiceData[];
  readonly file: string;
  readonly manifest: BackupManifest;
}

async function restoreInto({ config, log, say, signal }: Command, { isDryRun, ...job }: RestoreJob): Promise<void> {
  const data = await openInstallationData(config, followers, "exclusive", log);
  try {
    await assertTargetUsable({ data, ...job });
    if (isDryRun) {
      say("The target is empty and not in use; the backup can be restored there");
      return;
    }
    await restore({ data, ...job, signal }).catch((error: unknown) => {
      throw new CommandError(`The restore failed, and no node starts on its partial data: ${(error as Error).message}; run it again`);
    });
    say(
      job.isMove
        ? "Restored in the era of its source: sessions and positions stay valid"
        : "Restored in a new era: all users must log in again",
    );
  } finally {
    await data.close();
  }
}
