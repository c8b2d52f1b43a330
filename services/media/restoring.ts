/** Makes the sweeper check every file again after a restore: the backup may lack the event that released it. */
import type { RestoreHooks } from "../../core/store/contents.ts";
import { update, type Database } from "../../core/store/store.ts";
import { files } from "./files.repository.ts";

const pageSize = 200;

async function agree(db: Database): Promise<void> {
  for (;;) {
    const page = await db.page(files, { index: "byState", where: { state: "kept" }, limit: pageSize });
    if (page.length === 0) return;
    await db.commit(page.map(({ _id, state, since }) => update(files, { _id, state, since }, { state: "ready" })));
  }
}

export const restoring: RestoreHooks = { announceState: agree };
