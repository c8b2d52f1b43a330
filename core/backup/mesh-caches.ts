/** Clears the Redis of a mesh after its stores are overwritten. */
import { Redis } from "ioredis";
import type { MeshConfig } from "../config/config.ts";
import { CommandError } from "../errors.ts";

/** Removes all Redis keys of a mesh. */
export async function deleteRedisKeys({ name, redisUrl }: MeshConfig): Promise<void> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 3 });
  redis.on("error", () => undefined); // The command reports the error.
  try {
    for await (const keys of redis.scanStream({ match: `${name}:*`, count: 1000 }) as AsyncIterable<string[]>) {
      if (keys.length > 0) await redis.unlink(keys);
    }
  } catch (error) {
    throw new CommandError(`The mesh's keys in Redis can't be removed: ${(error as Error).message}`);
  } finally {
    redis.disconnect();
  }
}
