/**
 * What tests run against: RabbitMQ, Redis, MongoDB, a browser, a Python, kustomize and strace, found or started once a Jest run by `infra.setup.ts`.
 * What is not there is said with its reason, and the tests that need it are skipped; with REQUIRE_INFRA=1 the run fails instead.
 */
export type InfraPart = "amqp" | "redis" | "mongo" | "chromium" | "python" | "kustomize" | "schemas" | "strace";

export const titles: Readonly<Record<InfraPart, string>> = {
  amqp: "RabbitMQ",
  redis: "Redis",
  mongo: "MongoDB",
  chromium: "Chromium",
  python: "Python with python-socketio",
  kustomize: "kustomize",
  schemas: "Python with kubernetes-validate",
  strace: "strace",
};

/** Where a part is (a program: its path), or why it isn't there. */
export type InfraLookup = { readonly url: string } | { readonly missing: string };

/** How the setup tells the processes that run the tests. */
export const variable = "PARLEY_TEST_INFRA";

function lookUp(part: InfraPart): InfraLookup {
  const text = process.env[variable];
  const all = text === undefined ? undefined : (JSON.parse(text) as Record<InfraPart, InfraLookup>);
  return all?.[part] ?? { missing: "Jest's globalSetup did not look for it" };
}

function urlOf(part: InfraPart): string {
  const answer = lookUp(part);
  if ("url" in answer) return answer.url;
  throw new Error(`this needs ${titles[part]}: ${answer.missing}`);
}

/** URLs of the parts. Throw when it is missing: ask `skipReason` first. */
export const amqpUrl = (): string => urlOf("amqp");
export const redisUrl = (): string => urlOf("redis");
/** A replica set of one member, which gives up a transaction after 3 s. */
export const mongoUri = (): string => urlOf("mongo");
/** The browser's program. */
export const chromiumPath = (): string => urlOf("chromium");
/** A python3 that can run `docs/examples`. */
export const pythonPath = (): string => urlOf("python");
/** kustomize 5 or newer, or a kubectl that has it. */
export const kustomizePath = (): string => urlOf("kustomize");
/** A python3 that has the schemas of Kubernetes. */
export const schemasPython = (): string => urlOf("schemas");

/** An strace that may trace the programs it starts. */
export const stracePath = (): string => urlOf("strace");

/** Why tests that need these parts can't run; undefined when they can. */
export function skipReason(...parts: readonly InfraPart[]): string | undefined {
  const reasons = parts.flatMap((part) => {
    const answer = lookUp(part);
    return "missing" in answer ? [`${titles[part]}: ${answer.missing}`] : [];
  });
  return reasons.length === 0 ? undefined : `skipped, it needs ${reasons.join("; ")}`;
}
