/** Checks Redis: reachable, new enough, and its clock. */
import { Redis } from "ioredis";
import { compareClocks, reasonOf, type DoctorCheck, type DoctorConnection } from "../check.ts";
import type { Meshed } from "../configuration.ts";
import { versionFinding } from "./versions.ts";

const version: DoctorCheck<Redis> = {
  name: "Redis",
  async run(client) {
    const info = await client.info("server");
    return versionFinding("Redis", /^redis_version:(\S+)/m.exec(info)?.[1] ?? "0");
  },
};

const clock: DoctorCheck<Redis> = {
  name: "Redis clock",
  run: (client) =>
    compareClocks(async () => {
      const [seconds, microseconds] = await client.time();
      return Number(seconds) * 1000 + Number(microseconds) / 1000;
    }),
};

export const redisPart: DoctorConnection<Meshed, Redis> = {
  name: "Redis",
  async open({ mesh: { redisUrl } }) {
    const client = new Redis(redisUrl, { lazyConnect: true, connectTimeout: 5000, commandTimeout: 5000, retryStrategy: () => null });
    // The original error: `connect` rejects only with "connection is closed".
    const failure = new Promise<never>((_, reject) => client.on("error", reject));
    try {
      await Promise.race([client.connect(), failure]);
      await Promise.race([client.ping(), failure]);
      return client;
    } catch (error) {
      client.disconnect();
      throw error;
    }
  },
  close: (client) => client.quit(),
  explain(error) {
    const text = reasonOf(error);
    if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(text)) return "it refuses the user or the password: correct REDIS_URL";
    return `can't be reached (${text}): start it, or correct REDIS_URL`;
  },
  checks: [version, clock],
};
