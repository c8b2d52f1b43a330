/**
 * Gives a service its database: its own collections, made on the first start. What is declared here can be read from the service's
 * schema too, without starting it: backups hold every collection that some service declares.
 */
import { portsOf } from "../core/ports.ts";
import type { Mixin } from "../core/service.ts";
import type { Collection, Database } from "../core/store/store.ts";

/** What a service keeps. */
export interface DeclaredDatabase {
  readonly service: string;
  readonly collections: readonly Collection[];
}

/** The part of a schema, or of one of its mixins, that says so. */
export interface Declaring {
  readonly declaredDatabase: DeclaredDatabase;
}

export const database = (service: string, collections: readonly Collection[]): Mixin<{ db: Database }> & Declaring => ({
  declaredDatabase: { service, collections },
  async started() {
    this.db = await portsOf(this.broker).store.open(service, collections);
  },
});
