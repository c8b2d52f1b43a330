/**
 * Sends a mesh's feed over Redis pub/sub, with one connection to publish and one to subscribe. It never waits for Redis: a message that
 * can't be sent now is dropped, as the port allows.
 */
import type { Logger } from "moleculer";
import { counter } from "../metrics/declare.ts";
import { refusalCounter } from "../metrics/resources.ts";
import type { Feed } from "./feed.ts";
import { untilConnected, disconnect, redisClient } from "./redis-client.ts";
import { redisSubscriptions } from "./redis-subscriptions.ts";

/**
 * Maximum size of messages that Redis has not answered yet. Above it, new messages are dropped, so that a slow Redis does not fill this
 * node's memory.
 */
const maxUnansweredChars = 16 * 1024 * 1024;
const unansweredBound = refusalCounter("feed_buffer");

const published = counter("parley_feed_published_total", "Feed messages sent, or dropped because Redis was unavailable or slow", [
  "result",
]);

/**
 * @param prefix  of every channel, since several meshes may share a Redis
 * @throws StartError  wrong credentials; while Redis can't be reached, the promise stays pending
 */
export async function openRedisFeed({ url, prefix, log }: { url: string; prefix: string; log: Logger }): Promise<Feed> {
  const publisher = redisClient(url, `${prefix}feed-publishing`, log);
  const subscriber = redisClient(url, `${prefix}feed-listening`, log);
  const clients = [publisher, subscriber];
  const channelPrefix = `${prefix}feed:`;
  let unansweredChars = 0;

  for (const result of ["sent", "dropped"]) published.of().inc({ result }, 0);
  try {
    await Promise.all(clients.map(untilConnected));
  } catch (error) {
    clients.forEach(disconnect);
    throw error;
  }
  const { subscribe, onInterruption, stop } = redisSubscriptions(subscriber, channelPrefix, log);

  return {
    publish(channel, message) {
      const isFull = unansweredChars > maxUnansweredChars;
      if (isFull) unansweredBound.countRefusal();
      if (isFull || publisher.status !== "ready") {
        published.of().inc({ result: "dropped" });
        return;
      }
      published.of().inc({ result: "sent" });
      const json = JSON.stringify(message);
      unansweredChars += json.length;
      const answered = (): void => {
        unansweredChars -= json.length;
      };
      publisher.publish(channelPrefix + channel, json).then(answered, answered);
    },
    subscribe,
    onInterruption,
    health() {
      const ok = clients.every(({ status }) => status === "ready");
      return ok ? { ok } : { ok, detail: "Redis can't be reached" };
    },
    close() {
      clients.forEach(disconnect);
      stop();
      return Promise.resolve();
    },
  };
}
