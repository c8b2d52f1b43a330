/** The timelines of the chats this node handles. Idle ones are kept for their state, the least recently used are let go. */
import type { Change } from "./change.ts";
import { Timeline, type TimelineContext } from "./timeline.ts";

/** Chats whose state stays in memory. */
const maxTimelines = 5000;

export interface Timelines {
  append<R>(chatId: string, change: Change<R>, expiresAt?: number): Promise<R>;
}

export function openTimelines(context: TimelineContext): Timelines {
  const timelines = new Map<string, Timeline>();

  const evictIdle = () => {
    for (const [chatId, timeline] of timelines) {
      if (timelines.size <= maxTimelines) return;
      if (timeline.isIdle) timelines.delete(chatId);
    }
  };
  return {
    append(chatId, change, expiresAt) {
      const timeline = timelines.get(chatId) ?? new Timeline(chatId, context);
      timelines.delete(chatId);
      timelines.set(chatId, timeline); // last in the map's order: used most recently
      if (timelines.size > maxTimelines) evictIdle();
      return timeline.append(change, expiresAt);
    },
  };
}
