/** The timelines of the chats this node handles. Idle ones are kept for their state, the least recently used are let go. */
import { Timeline, type Change, type TimelineParts } from "./timeline.ts";

/** Chats whose state stays in memory. */
const kept = 5000;

export interface Timelines {
  append<R>(chatId: string, change: Change<R>, expiresAt?: number): Promise<R>;
}

export function openTimelines(parts: TimelineParts): Timelines {
  const timelines = new Map<string, Timeline>();

  const letGo = () => {
    for (const [chatId, timeline] of timelines) {
      if (timelines.size <= kept) return;
      if (timeline.isIdle) timelines.delete(chatId);
    }
  };
  return {
    append(chatId, change, expiresAt) {
      const timeline = timelines.get(chatId) ?? new Timeline(chatId, parts);
      timelines.delete(chatId);
      timelines.set(chatId, timeline); // last in the map's order: used most recently
      if (timelines.size > kept) letGo();
      return timeline.append(change, expiresAt);
    },
  };
}
