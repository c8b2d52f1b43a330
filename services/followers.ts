/** Maps consumer groups to the durable events they follow. All nodes share it, so that events are kept for a group that is not running. */
import type { ConsumerGroups } from "../core/queue/queue.ts";
import { followings } from "../mixins/follower.ts";
import { authEvents } from "./auth/contract.ts";
import { releasedFileEvents } from "./file-users.ts";
import { requestEvents } from "./request/contract.ts";

/** By group, named after its service. The service must handle exactly these: `follow(followed.profile, {...})`. */
export const followed = followings({
  profile: Object.values(authEvents),
  request: Object.values(authEvents),
  chat: Object.values(requestEvents),
  media: releasedFileEvents,
});

/** The same in the queue's shape. */
export const followers: ConsumerGroups = Object.fromEntries(
  Object.values(followed).map(({ group, events }) => [group, events.map(({ topic }) => topic)]),
);
