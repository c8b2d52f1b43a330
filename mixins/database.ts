/**
 * Gives a service its database: its own collections, made on the first start, and what is in them at its release's schema. What is
 * declared here can be read from the service's schema too, without starting it: backups hold every collection that some service declares.
 */
import { abortStart } from "../core/node/lifecycle.ts";
import { StartError } from "../core/errors.ts";
import { portsOf } from "../core/node/ports.ts";
import type { Mixin } from "../core/contract/service.ts";
import type { DeclaredDatabase } from "../core/store/contents.ts";
import { openMigrated } from "../core/store/migrate.ts";
import type { Migration } from "../core/store/migrations.ts";
import type { Collection, Database } from "../core/store/store.ts";
import { withCommitMetrics } from "./commit-metrics.ts";

/** What a service keeps, and what leads it to its release's schema. */
export interface MigratedDatabase extends DeclaredDatabase {
  /** All that lead to this release's schema version, in order; without any it is 1. */
  readonly migrations: readonly Migration[];
}

/** The part of a schema, or of one of its mixins, that says so. */
export interface DeclaresDatabase {
  readonly declaredDatabase: MigratedDatabase;
}

export const database = (
  service: string,
  collections: readonly Collection[],
  migrations: readonly Migration[] = [],
): Mixin<{ db: Database }> & DeclaresDatabase => ({
  declaredDatabase: { service, collections, migrations },
  async started() {
    try {
      const { store } = portsOf(this.broker);
      this.db = withCommitMetrics(await openMigrated({ store, service, collections, migrations, log: this.logger }), this.broker, service);
    } catch (error) {
      if (error instanceof StartError) abortStart(error.message);
      throw error;
    }
  },
});
