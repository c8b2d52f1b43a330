/**
 * `npm run new-era`: for a store that was brought back by other means than `npm run restore` (a copied folder, a volume's snapshot,
 * `mongorestore`), so that no client takes what it holds from another time for what is there.
 */
import { beginEra } from "../core/backup/era.ts";
import { hasStore, openInstallationData } from "../core/backup/installation-data.ts";
import { CommandError } from "../core/errors.ts";
import { readFacts } from "../core/node/installation.ts";
import { followers } from "../services/followers.ts";
import { run } from "./operator/command.ts";
import { allServiceData } from "./operator/service-data.ts";

await run(async ({ config, log, say }) => {
  if (!hasStore(config)) throw new CommandError(`There is no store in DATA_DIR ${config.DATA_DIR}`);
  const data = await openInstallationData(config, followers, "exclusive", log);
  try {
    if ((await readFacts(data.facts)).restoringSince != null) throw new CommandError("A restore has not ended: run npm run restore again");
    // A node that writes meanwhile could hand clients changes of the new era on top of messages that are gone.
    await data.assertIdle();
    await beginEra(data, await allServiceData());
    await data.clearCaches();
    say("A new era has begun: all log in again, and their clients read their chats anew");
  } finally {
    await data.close();
  }
});
