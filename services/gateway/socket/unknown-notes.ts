/**
 * Counts what comes from the feed and this release does not know: during a rolling upgrade a node of a newer release may publish it. It
 * is dropped, for the documents of this release do not have it, and its part in a membership or a chat's sequence is not known. The
 * clients concerned connect to an upgraded gateway soon, and catch up there.
 */
import { counter } from "../../../core/metrics/declare.ts";

const unknown = counter("parley_feed_unknown_total", "Feed messages dropped because this release does not know them", ["channel"]);
for (const channel of ["user", "chat"]) unknown.of().inc({ channel }, 0);

export const countUnknown = (channel: "user" | "chat"): void => unknown.of().inc({ channel });
