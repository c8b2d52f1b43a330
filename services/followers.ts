/** Who follows which durable event: one map for all nodes, so that an event waits for a group that is not running. */
import type { Groups } from "../core/queue/queue.ts";
import { authEvents } from "./auth/contract.ts";
import { chatEvents } from "./chat/contract.ts";
import { profileEvents } from "./profile/contract.ts";
import { requestEvents } from "./request/contract.ts";

const users = [authEvents["user.created"], authEvents["user.changed"], authEvents["user.deleted"]].map(({ topic }) => topic);
const dropped = [chatEvents["file.dropped"], profileEvents["picture.dropped"]].map(({ topic }) => topic);
const relations = Object.values(requestEvents).map(({ topic }) => topic);

export const followers = { profile: users, request: users, chat: relations, media: dropped } as const satisfies Groups;
export type Group = keyof typeof followers;
