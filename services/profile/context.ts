/** Opens the context of profile's functions. */
import type { Ports } from "../../core/node/ports.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";

export interface ProfileContext extends Pick<Ports, "cache" | "clock"> {
  readonly db: Database;
}

export const openProfileContext = ({ db, cache, clock }: ServiceResources): ProfileContext => ({ db, cache, clock });
