/**
 * `npm run new-era`: begins a new era on a store that was restored by other means than `npm run restore` (a copied folder, a volume
 * snapshot, `mongorestore`), so that no client mistakes older state for the current one.
 */
import { beginEra } from "../core/backup/era.ts";
import { hasStore, openInstallationData } from "../core/backup/installation-data.ts";
import { CommandError } from "../core/errors.ts";
import { readFacts } from "../core/node/installation.ts";
import { followers } from "../services/followers.ts";
import { run } from "./operator/command.ts";
import { allServiceData } from "./operator/service-data.ts";

await run(async ({ config, log, say }) => {
  if (!hasStore(config)) throw new CommandError(`DATA_DIR ${config.DATA_DIR} contains no store`);
  const data = await openInstallationData(config, followers, "exclusive", log);
  try {
    if ((await readFacts(data.facts)).restoringSince != null)
      throw new CommandError("A restore has not finished: run npm run restore again");
    // A node that writes meanwhile could send clients changes of the new era on top of messages that are gone.
    await data.assertIdle();
    await beginEra(data, await allServiceData());
    await data.clearCaches();
    say("A new era has begun: all users must log in again, and their clients reload their chats");
  } finally {
    await data.close();
  }
});
