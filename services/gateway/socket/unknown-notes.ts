/**
 * Counts feed messages that this release does not know. During a rolling upgrade a node of a newer release may publish them. They are
 * dropped, because the documents of this release do not describe them and their effect on a membership or a sequence is unknown. The
 * clients concerned soon connect to an upgraded gateway and catch up there.
 */
import { counter } from "../../../core/metrics/declare.ts";

const unknown = counter("parley_feed_unknown_total", "Feed messages dropped because this release does not know them", ["channel"]);
for (const channel of ["user", "chat"]) unknown.of().inc({ channel }, 0);

export const countUnknown = (channel: "user" | "chat"): void => unknown.of().inc({ channel });
