/** Opens the context of request's functions. */
import type { Logger } from "moleculer";
import type { Ports } from "../../core/node/ports.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";

export interface ContactRequestContext extends Pick<Ports, "cache" | "clock" | "feed"> {
  readonly db: Database;
  readonly log: Logger;
}

export const openContactRequestContext = ({ db, log, cache, clock, feed }: ServiceResources): ContactRequestContext => ({
  cache,
  clock,
  feed,
  db,
  log,
});
