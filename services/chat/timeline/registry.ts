/** Keeps the timelines of the chats that this node handles. Idle ones keep their state until the least recently used are evicted. */
import type { Change } from "./change.ts";
import { Timeline, type TimelineContext } from "./timeline.ts";

/** Maximum number of chats with state in memory. */
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
      timelines.set(chatId, timeline); // Moves it to the end of the map: most recently used.
      if (timelines.size > maxTimelines) evictIdle();
      return timeline.append(change, expiresAt);
    },
  };
}
