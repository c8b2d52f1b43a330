/** Announces every account again after a restore. */
import type { RestoreHooks } from "../../core/store/contents.ts";
import { announceAll } from "../../mixins/announce-all.ts";
import { announce } from "../../mixins/outbox.ts";
import { accounts } from "./accounts.repository.ts";
import { authEvents } from "./contract.ts";
import * as present from "./present.ts";

export const restoring: RestoreHooks = {
  announceState: (db) =>
    announceAll(db, { from: accounts, index: "byEmail", cursorOf: ({ emailId }) => [emailId] }, (row) =>
      announce(authEvents["user.changed"], { key: row._id, rev: row.rev, payload: present.account(row) }),
    ),
};
