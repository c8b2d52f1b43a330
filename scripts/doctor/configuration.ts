/** Checks the environment variables: each by itself, their combinations, and how well secrets are protected. */
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { readConfig, variables, ConfigError, type Config, type Environment, type MeshConfig } from "../../core/config/config.ts";
import { traceCollectorOf } from "../../core/broker/tracing/exporter.ts";
import { openCloudinaryBlobs } from "../../core/blobs/cloudinary.ts";
import { addressResolver } from "../../services/gateway/shared/address.ts";
import { temporaryFinding } from "./machine.ts";
import { fine, reasonOf, todo, type DoctorCheck, type Finding } from "./check.ts";

export interface Configured {
  readonly env: Environment;
  readonly config: Config;
}

/** The configuration of a node in a mesh. */
export interface Meshed extends Configured {
  readonly mesh: MeshConfig;
}

/** Reads the configuration. Returns one line for each invalid variable. */
export function configuration(env: Environment): { readonly config?: Config; readonly findings: readonly Finding[] } {
  try {
    const config = readConfig(env);
    return { config, findings: [fine(config.mesh === undefined ? "embedded" : `a node of the mesh ${config.mesh.name}`)] };
  } catch (error) {
    if (error instanceof ConfigError) return { findings: error.lines.map((line) => todo(line)) };
    throw error;
  }
}

/** Collects every secret in the environment and the configuration, and the passwords in its URLs, to be removed from the output. */
export function secretsOf(env: Environment, config: Config | undefined): string[] {
  const names = (Object.keys(variables) as (keyof typeof variables)[]).filter((name) => variables[name].isSecret);
  const values = [...names.map((name) => config?.[name]), ...(config?.JWT_OLD_SECRETS ?? [])];
  const texts = values.filter((value) => typeof value === "string");
  return [...names.map((name) => env[name] ?? ""), ...texts, ...texts.map(passwordOf), config?.CLOUDINARY_URL?.secret ?? ""];
}

function passwordOf(url: string): string {
  const [, password = ""] = /^[^:]+:\/\/[^:@/]*:([^@/]*)@/.exec(url) ?? [];
  try {
    return decodeURIComponent(password);
  } catch {
    return password; // Not a URL, but a secret that looks like one.
  }
}

const isHere = (host: string): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(host);

const addresses: DoctorCheck<Configured> = {
  name: "Addresses",
  run({ config: { PUBLIC_URL, TRUST_PROXY, SERVICES } }) {
    if (!SERVICES.includes("gateway")) return fine("this node has no gateway");
    const findings: Finding[] = [];
    const url = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL);
    try {
      addressResolver(TRUST_PROXY);
    } catch (error) {
      findings.push(todo(reasonOf(error)));
    }
    if (typeof TRUST_PROXY !== "number" && TRUST_PROXY.some((range) => range.endsWith("/0")))
      findings.push(todo("TRUST_PROXY trusts every address, so clients can choose theirs: list only your proxies"));
    if (url?.protocol === "http:" && !isHere(url.hostname))
      findings.push(todo(`PUBLIC_URL ${url.origin} is not https: passwords and cookies are sent unencrypted; terminate TLS in a proxy`));
    if (url?.protocol === "https:" && TRUST_PROXY === 0)
      findings.push(
        todo(
          "PUBLIC_URL is https, so a proxy terminates TLS, but TRUST_PROXY is 0: all clients would share the proxy's address and limits",
        ),
      );
    return findings.length > 0
      ? findings
      : fine(`PUBLIC_URL ${url?.origin ?? "is each request's own Host"}, TRUST_PROXY ${String(TRUST_PROXY)}`);
  },
};

const switches: DoctorCheck<Configured> = {
  name: "Switches",
  run({ config: { LIMITS, FAULTS, PASSWORD_COST } }) {
    const findings = [
      ...(LIMITS === "off" ? [todo("LIMITS=off is for load tests: it allows unlimited password attempts; unset it")] : []),
      ...(FAULTS.length > 0 ? [todo("FAULTS is for fault tests and makes this node fail; unset it")] : []),
      ...(PASSWORD_COST < 10 ? [todo(`PASSWORD_COST=${PASSWORD_COST} makes stolen hashes cheap to crack: set 10 or more`)] : []),
    ];
    return findings.length > 0 ? findings : fine("limits are on, no faults are set");
  },
};

/** Whether a secret is weaker than 128 random bits, by its length and the variety of its characters. */
function isGuessable(secret: string): boolean {
  const distinct = new Set(secret).size;
  return distinct < 10 || secret.length * Math.log2(distinct) < 128 || /change|secret|example|password|1234567/i.test(secret);
}

const secrets: DoctorCheck<Configured> = {
  name: "Secrets",
  run({ env, config: { JWT_SECRET, JWT_OLD_SECRETS } }) {
    const files = Object.entries(variables).flatMap(([name, { isSecret }]) => {
      const file = isSecret ? env[`${name}_FILE`]?.trim() : undefined;
      return file === undefined || file === "" ? [] : [fileFinding(`${name}_FILE`, file)];
    });
    const weak = [
      ...(JWT_SECRET !== undefined && isGuessable(JWT_SECRET) ? ["JWT_SECRET"] : []),
      ...(JWT_OLD_SECRETS.some(isGuessable) ? ["JWT_OLD_SECRETS"] : []),
    ].map((name) =>
      todo(`${name} could be guessed, and an attacker who has it can act as any user: generate one with openssl rand -hex 32`),
    );
    const wrong = [...weak, ...files].filter(({ isFine }) => !isFine);
    return wrong.length > 0 ? wrong : fine(JWT_SECRET === undefined ? "generated in DATA_DIR" : "strong, and not readable by others");
  },
};

/** Files of this process's user must not be readable by others. Docker and Kubernetes choose the mode of the files they mount. */
export function fileFinding(what: string, file: string): Finding {
  const { mode, uid } = statSync(file);
  if ((mode & 0o022) !== 0) return todo(`${what} ${file} can be written by others: chmod 600`);
  if ((mode & 0o004) !== 0 && uid === process.getuid?.()) return todo(`${what} ${file} can be read by everybody: chmod 600`);
  return fine(file);
}

const tracing: DoctorCheck<Configured> = {
  name: "Tracing",
  async run({ config: { TRACING_URL, TRACING_SAMPLE } }) {
    if (TRACING_URL === undefined) return fine("off");
    const { url } = traceCollectorOf(TRACING_URL);
    const { host } = new URL(url);
    try {
      const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(5000) });
      await answer.body?.cancel();
      return fine(`${host} answers; ${TRACING_SAMPLE} of all requests are traced`);
    } catch (error) {
      const { cause } = error as Error;
      return todo(`the trace collector ${host} can't be reached (${reasonOf(cause ?? error)}): spans are dropped`);
    }
  },
};

const cloudinary: DoctorCheck<Configured> = {
  name: "Cloudinary",
  async run({ config: { CLOUDINARY_URL, MESH } }) {
    if (CLOUDINARY_URL === undefined) return fine("not used");
    const warnings: string[] = [];
    const log = { warn: (line: string) => void warnings.push(line) };
    const blobs = await openCloudinaryBlobs(CLOUDINARY_URL, `parley/${MESH}`, { log });
    await blobs.close();
    return warnings[0] === undefined ? fine(`accepts the key of ${CLOUDINARY_URL.cloud}`) : todo(warnings[0]);
  },
};

const temporaryFiles: DoctorCheck<Configured> = {
  name: "Temporary files",
  run: ({ config: { SERVICES } }) => (SERVICES.includes("gateway") ? temporaryFinding(tmpdir()) : fine("this node has no gateway")),
};

export const configuredChecks: readonly DoctorCheck<Configured>[] = [temporaryFiles, addresses, switches, secrets, tracing, cloudinary];
