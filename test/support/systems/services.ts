/** Some services in this process, for tests of their actions: a real broker and real embedded ports on a data folder of its own. */
import { rm } from "node:fs/promises";
import { ServiceBroker, type LoggerConfig, type Service, type ServiceSchema } from "moleculer";
import { securityLoggerName } from "../../../core/node/logger.ts";
import { brokerOptions } from "../../../core/broker/options.ts";
import { call, type Meta } from "../../../core/contract/call.ts";
import { readConfig } from "../../../core/config/config.ts";
import { codeOf } from "../../../core/errors.ts";
import type { Channel } from "../../../core/feed/feed.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import type { Database } from "../../../core/store/store.ts";
import { auth } from "../../../services/auth/contract.ts";
import { followers } from "../../../services/followers.ts";
import type { Received } from "../people/person.ts";
import { temporaryFolder } from "../servers/server.ts";

export interface InProcessServices {
  readonly broker: ServiceBroker;
  /** A service's own database, to see what is stored and to change what time would. */
  readonly db: (service: string) => Pick<Database, "commit" | "get" | "page">;
  readonly stop: () => Promise<void>;
}

export async function startServices(...schemas: readonly ServiceSchema[]): Promise<InProcessServices> {
  const folder = await temporaryFolder();
  const config = readConfig({ DATA_DIR: folder, LOG_LEVEL: "error", EVENT_RETRY_MS: "20", LIMITS: "off" });
  const options = brokerOptions(config, followers);
  // Tests of actions sign up hundreds; what the security log tells has tests of its own.
  const logging = options.logger as LoggerConfig & { options: { level: object } };
  Object.assign(logging.options.level, { [securityLoggerName]: "error" });
  const broker = new ServiceBroker(options);
  for (const schema of schemas) broker.createService(schema);
  await broker.start();
  return {
    broker,
    db: (service) => (broker.getLocalService(service) as Service & { db: Database }).db,
    async stop() {
      await broker.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Someone signed up and signed in. */
export interface SignedUpUser {
  readonly userId: string;
  readonly sessionId: string;
  readonly emailId: string;
  readonly firstName: string;
}

export const goodPassword = "Correct-Horse-7";

export async function signUpUser(broker: ServiceBroker, firstName = "Ada"): Promise<SignedUpUser> {
  const emailId = `${newId()}@example.org`;
  const { account, sessionId } = await call(broker, auth.signUp, { firstName, lastName: "Example", emailId, password: goodPassword });
  return { userId: account.userId, sessionId, emailId, firstName };
}

/** Call options that say who calls, as the gateway would. */
export const asUser = ({ userId, sessionId }: Pick<SignedUpUser, "userId" | "sessionId">): { meta: Meta } => ({
  meta: { user: { id: userId, sessionId } },
});

/** What goes over these feed channels from now on. */
export async function recordFeed(
  broker: ServiceBroker,
  channels: readonly Channel[],
): Promise<{ readonly channel: string; readonly message: Received }[]> {
  const heard: { channel: string; message: unknown }[] = [];
  await portsOf(broker).feed.subscribe(channels, (message, channel) => heard.push({ channel, message }));
  return heard;
}

/** How many of these came to what: their error's code, or `ok`. */
export async function countOutcomes(calls: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of await Promise.allSettled(calls)) {
    const name = outcome.status === "fulfilled" ? "ok" : (codeOf(outcome.reason) ?? (outcome.reason as Error).message);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
