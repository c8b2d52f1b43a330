/** Starts services in this process, to test their actions with a real broker and the embedded ports on their own data folder. */
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
  /** The database of a service, to check what is stored, and to write states that take time to arise. */
  readonly db: (service: string) => Pick<Database, "commit" | "get" | "page">;
  readonly stop: () => Promise<void>;
}

export async function startServices(...schemas: readonly ServiceSchema[]): Promise<InProcessServices> {
  const folder = await temporaryFolder();
  const config = readConfig({ DATA_DIR: folder, LOG_LEVEL: "error", EVENT_RETRY_MS: "20", LIMITS: "off" });
  const options = brokerOptions(config, followers);
  // Tests of actions sign up hundreds of users. The security log has its own tests.
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

/** A user who has signed up and is signed in. */
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

/** Call options that name the calling user, as the gateway sets them. */
export const asUser = ({ userId, sessionId }: Pick<SignedUpUser, "userId" | "sessionId">): { meta: Meta } => ({
  meta: { user: { id: userId, sessionId } },
});

/** Records the messages on these feed channels from now on. */
export async function recordFeed(
  broker: ServiceBroker,
  channels: readonly Channel[],
): Promise<{ readonly channel: string; readonly message: Received }[]> {
  const messages: { channel: string; message: unknown }[] = [];
  await portsOf(broker).feed.subscribe(channels, (message, channel) => messages.push({ channel, message }));
  return messages;
}

/** Counts the outcomes of calls, by `ok` or the code of the error. */
export async function countOutcomes(calls: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of await Promise.allSettled(calls)) {
    const name = outcome.status === "fulfilled" ? "ok" : (codeOf(outcome.reason) ?? (outcome.reason as Error).message);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
