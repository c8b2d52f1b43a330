/** Who follows which durable event: one map for all nodes, so that an event waits for a group that is not running. */
import type { ConsumerGroups } from "../core/queue/queue.ts";
import { followings } from "../mixins/follower.ts";
import { authEvents } from "./auth/contract.ts";
import { chatEvents } from "./chat/contract.ts";
import { profileEvents } from "./profile/contract.ts";
import { requestEvents } from "./request/contract.ts";

/** By group, which has the name of its service. The service handles exactly these: `follow(followed.profile, {...})`. */
export const followed = followings({
  profile: Object.values(authEvents),
  request: Object.values(authEvents),
  chat: Object.values(requestEvents),
  media: [chatEvents["file.dropped"], profileEvents["picture.dropped"]],
});

/** The same for the queue. */
export const followers: ConsumerGroups = Object.fromEntries(
  Object.values(followed).map(({ group, events }) => [group, events.map(({ topic }) => topic)]),
);
