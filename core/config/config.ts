/**
 * Reads the environment: every variable with its type, default and meaning. Each bad variable is reported in one line, and the node does
 * not start. A secret can be given as a file instead: `JWT_SECRET_FILE` is the path of a file that contains `JWT_SECRET`. The README's
 * table is generated from `variables` (`npm run docs:config`). `moleculer.config.ts` passes the environment in; nothing else reads it.
 */
import { resolve } from "node:path";
import {
  cloudinaryAccount,
  collectorUrl,
  integer,
  commaSeparated,
  longSecret,
  minSecretLength,
  mongoUri,
  oneOf,
  optional,
  withDefault,
  origin,
  ratio,
  trustProxy,
  url,
  mustBe,
} from "./parsers.ts";
import { readSecretFile } from "./secret-files.ts";
import { serviceNames } from "../service-names.ts";

interface Variable<T> {
  readonly meaning: string;
  /** The default as shown in the README's table. */
  readonly default: string;
  /** Parses the text, or throws an error that says what is wrong. `undefined` stands for an unset or empty variable. */
  readonly parse: (text: string | undefined) => T;
  /** Whether `<NAME>_FILE` can be set instead: the path of a file that contains the value. */
  readonly isSecret: boolean;
}

function variable<T>(meaning: string, fallback: string, parse: (text: string | undefined) => T): Variable<T> {
  return { meaning, default: fallback, parse, isSecret: false };
}
function secretVariable<T>(meaning: string, parse: (text: string | undefined) => T): Variable<T> {
  return { meaning, default: "", parse, isSecret: true };
}

const services = (text: string): readonly string[] =>
  commaSeparated(text).map((name) =>
    serviceNames.includes(name) ? name : mustBe(`a list of ${serviceNames.join(", ")}; there is no service "${name}"`),
  );

export const variables = {
  PORT: variable("Port of the gateway (0: any free port)", "3000", withDefault(3000, integer(0, 65_535))),
  HOST: variable("Address the gateway listens on", "0.0.0.0", withDefault("0.0.0.0", String)),
  DATA_DIR: variable(
    "Folder of the embedded store and its generated secret",
    "./data",
    withDefault(resolve("data"), (text) => resolve(text)),
  ),
  SERVICES: variable("Services that this node runs, separated by commas", "all", withDefault(serviceNames, services)),
  AMQP_URL: secretVariable("RabbitMQ; set all three URLs to run as a mesh", optional(url("amqp:", "amqps:"))),
  REDIS_URL: secretVariable("Redis", optional(url("redis:", "rediss:"))),
  MONGO_URI: secretVariable("MongoDB replica set", optional(mongoUri)),
  MESH: variable(
    "Name of the mesh; prefixes its queues, keys and databases",
    "parley",
    withDefault("parley", (text) => (/^[a-z0-9-]{1,24}$/.test(text) ? text : mustBe("1-24 of a-z, 0-9 and -"))),
  ),
  CLOUDINARY_URL: secretVariable("Stores files at Cloudinary instead: `cloudinary://key:secret@cloud`", optional(cloudinaryAccount)),
  JWT_SECRET: secretVariable(
    `Signs access tokens; at least ${minSecretLength} characters. Required in a mesh; otherwise generated once in DATA_DIR`,
    optional(longSecret),
  ),
  JWT_OLD_SECRETS: secretVariable(
    "Earlier secrets that are still accepted, separated by commas",
    withDefault([] as readonly string[], (text) => commaSeparated(text).map(longSecret)),
  ),
  PASSWORD_COST: variable("bcrypt's cost factor for new passwords; each increment doubles the work", "10", withDefault(10, integer(4, 16))),
  PUBLIC_URL: variable(
    "Origin that browsers use to reach the server; with https, cookies are Secure",
    "the request's own Host",
    optional(origin),
  ),
  CORS_ORIGINS: variable(
    "Other origins whose pages may call the API, separated by commas",
    "",
    withDefault([] as readonly string[], (text) => commaSeparated(text).map(origin)),
  ),
  CONTACTS: variable(
    "`required`: users can chat with accepted contacts only; `open`: with anyone",
    "required",
    withDefault("required" as const, oneOf("required", "open")),
  ),
  UPLOAD_GRACE_MS: variable("Milliseconds that an unused upload is kept", "3600000", withDefault(3_600_000, integer(1000, 86_400_000))),
  GROUP_LIMIT: variable("Maximum number of members in a group", "1000", withDefault(1000, integer(3, 1000))),
  LIMITS: variable(
    "`off` disables rate limits, for load tests; refused with NODE_ENV=production",
    "on",
    withDefault("on" as const, oneOf("on", "off")),
  ),
  TRUST_PROXY: variable(
    "Proxies in front of the gateway: a hop count, or a list of addresses and CIDR ranges",
    "0",
    withDefault(0, trustProxy),
  ),
  KEEP_ALIVE_MS: variable(
    "Milliseconds that an idle HTTP connection stays open; must exceed the idle timeout of a proxy in front of the gateway",
    "65000",
    withDefault(65_000, integer(1000, 3_600_000)),
  ),
  ADMIN_PORT: variable(
    "Port of the node's admin server (/health, /ready, /metrics); in embedded mode there is one only if this is set",
    "any free port",
    optional(integer(0, 65_535)),
  ),
  ADMIN_HOST: variable("Address of the admin server", "127.0.0.1", withDefault("127.0.0.1", String)),
  EVENT_RETRY_MS: variable(
    "Milliseconds before a failed durable event is first retried; doubles with each attempt, up to a minute",
    "1000",
    withDefault(1000, integer(1, 60_000)),
  ),
  EVENT_ATTEMPTS: variable("Failed attempts after which a durable event becomes a dead letter", "10", withDefault(10, integer(1, 100))),
  DRAIN_MS: variable(
    "Milliseconds that a mesh node reports not ready after SIGTERM before it closes connections",
    "2000",
    withDefault(2000, integer(0, 8000)),
  ),
  ROUTING: variable(
    "`off`: calls about a chat go to any chat node (slower, but also correct; for tests)",
    "on",
    withDefault("on" as const, oneOf("on", "off")),
  ),
  TRACING_URL: secretVariable(
    "Trace collector that accepts Zipkin's JSON, such as an OpenTelemetry collector: `http://collector:9411`",
    optional(collectorUrl),
  ),
  TRACING_SAMPLE: variable("Share of requests to trace, 0 to 1", "0.01", withDefault(0.01, ratio)),
  FAULTS: variable(
    "Fault points for fault tests, such as `outbox.publish=kill`; refused with NODE_ENV=production",
    "",
    withDefault([] as readonly string[], commaSeparated),
  ),
  LOG_LEVEL: variable(
    "Minimum log level; the security log is written at any level",
    "info",
    withDefault("info" as const, oneOf("fatal", "error", "warn", "info", "debug", "trace")),
  ),
  NODE_ENV: variable("`production` refuses LIMITS=off and FAULTS", "", optional(String)),
} as const;

type Variables = typeof variables;
type ConfigValues = { readonly [K in keyof Variables]: ReturnType<Variables[K]["parse"]> };

export interface MeshConfig {
  readonly name: string;
  readonly amqpUrl: string;
  readonly redisUrl: string;
  readonly mongoUri: string;
}

export interface Config extends ConfigValues {
  /** Set if this node belongs to a mesh; undefined in embedded mode. */
  readonly mesh: MeshConfig | undefined;
}

export interface Environment {
  readonly [name: string]: string | undefined;
}

/** The problems found in the environment, one per line. */
export class ConfigError extends Error {
  readonly lines: readonly string[];
  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/**
 * Reads and checks the whole environment.
 * @throws ConfigError  with a line for every bad variable
 */
export function readConfig(env: Environment): Config {
  const lines: string[] = [];
  const values = Object.fromEntries(
    Object.entries(variables).map(([name, variable]) => {
      try {
        return [name, readVariable(name, variable, env)];
      } catch (error) {
        lines.push((error as Error).message);
        return [name, undefined];
      }
    }),
  ) as ConfigValues;
  if (lines.length === 0) lines.push(...contradictions(values));
  if (lines.length > 0) throw new ConfigError(lines);
  return { ...values, mesh: meshOf(values) };
}

/** @throws Error  says what is wrong with the variable or its file, and never quotes the value */
function readVariable(name: string, { isSecret, parse }: Variable<unknown>, env: Environment): unknown {
  const given = (key: string) => (env[key]?.trim() === "" ? undefined : env[key]?.trim());
  const [text, file] = [given(name), isSecret ? given(`${name}_FILE`) : undefined];
  if (text !== undefined && file !== undefined) throw new Error(`${name} and ${name}_FILE are both set: set one of them`);
  const value = file === undefined ? text : readSecretFile(`${name}_FILE`, file);
  try {
    return parse(value);
  } catch (error) {
    throw new Error(`${name}${file === undefined ? "" : ` (from ${file})`} ${(error as Error).message}`, { cause: error });
  }
}

const meshUrls = ["AMQP_URL", "REDIS_URL", "MONGO_URI"] as const;

function contradictions(values: ConfigValues): string[] {
  const lines: string[] = [];
  const missing = meshUrls.filter((name) => values[name] === undefined);
  if (missing.length === 1 || missing.length === 2) {
    lines.push(`${missing.join(" and ")} not set: a mesh needs all of ${meshUrls.join(", ")}; embedded mode needs none`);
  }
  if (missing.length === 0 && values.JWT_SECRET === undefined) lines.push("JWT_SECRET not set: a mesh needs the same secret on every node");
  if (missing.length === meshUrls.length && values.SERVICES.length < serviceNames.length) {
    lines.push(`SERVICES can only be set in a mesh: embedded mode runs all services (set ${meshUrls.join(", ")})`);
  }
  if (values.NODE_ENV === "production") {
    if (values.LIMITS === "off") lines.push("LIMITS=off is refused with NODE_ENV=production");
    if (values.FAULTS.length > 0) lines.push("FAULTS is refused with NODE_ENV=production");
  }
  return lines;
}

function meshOf({ AMQP_URL, REDIS_URL, MONGO_URI, MESH }: ConfigValues): MeshConfig | undefined {
  if (AMQP_URL === undefined || REDIS_URL === undefined || MONGO_URI === undefined) return undefined;
  return { name: MESH, amqpUrl: AMQP_URL, redisUrl: REDIS_URL, mongoUri: MONGO_URI };
}
