/**
 * The infrastructure that tests need: RabbitMQ, Redis, MongoDB, a browser, Python, kustomize and strace. `infra.setup.ts` finds or starts it
 * once per Jest run. Tests whose infrastructure is missing are skipped, and the reason is printed; with REQUIRE_INFRA=1 the run fails.
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

/** A part's URL, or the path if it is a program; or the reason why it is missing. */
export type InfraLookup = { readonly url: string } | { readonly missing: string };

/** The environment variable by which the setup passes its findings to the processes that run the tests. */
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

/** These functions return the URL of a part, and throw when it is missing: check `skipReason` first. */
export const amqpUrl = (): string => urlOf("amqp");
export const redisUrl = (): string => urlOf("redis");
/** A replica set of one member that aborts transactions after 3 s. */
export const mongoUri = (): string => urlOf("mongo");
/** The browser's program. */
export const chromiumPath = (): string => urlOf("chromium");
/** A python3 that can run `docs/examples`. */
export const pythonPath = (): string => urlOf("python");
/** kustomize 5 or newer, or a kubectl that includes it. */
export const kustomizePath = (): string => urlOf("kustomize");
/** A python3 that has kubernetes-validate. */
export const schemasPython = (): string => urlOf("schemas");

/** An strace that is allowed to trace the programs it starts. */
export const stracePath = (): string => urlOf("strace");

/** Returns why tests that need these parts can't run, or undefined when they can. */
export function skipReason(...parts: readonly InfraPart[]): string | undefined {
  const reasons = parts.flatMap((part) => {
    const answer = lookUp(part);
    return "missing" in answer ? [`${titles[part]}: ${answer.missing}`] : [];
  });
  return reasons.length === 0 ? undefined : `skipped, it needs ${reasons.join("; ")}`;
}
