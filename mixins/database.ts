/** Gives a service its database: its own collections, made on the first start. */
import { portsOf } from "../core/ports.ts";
import type { Mixin } from "../core/service.ts";
import type { Collection, Database } from "../core/store/store.ts";

export const database = (service: string, collections: readonly Collection[]): Mixin<{ db: Database }> => ({
  async started() {
    this.db = await portsOf(this.broker).store.open(service, collections);
  },
});
