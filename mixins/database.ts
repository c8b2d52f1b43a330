/**
 * Gives a service its database: creates its collections on the first start, and migrates their documents to the release's schema. The
 * declaration can be read from the service's schema without starting it, so backups include every collection that a service declares.
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

/** A service's collections, and the migrations to its release's schema. */
export interface MigratedDatabase extends DeclaredDatabase {
  /** All migrations up to this release's schema version, in order. Without any, the version is 1. */
  readonly migrations: readonly Migration[];
}

/** The part of a service's or mixin's schema that declares a database. */
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
