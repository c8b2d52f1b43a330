/** The log: Pino's JSON lines, pretty on a terminal. Parley's own parts log at LOG_LEVEL, Moleculer's inner workings only warnings. */
import { createRequire } from "node:module";
import type { LoggerConfig } from "moleculer";
import type { LoggerOptions } from "pino";
import { serviceNames, type Config } from "../config.ts";

/** The name under which what is not a service logs. */
export const parley = "PARLEY";

const hidden = ["password", "oldPassword", "newPassword", "token", "refreshToken", "text", "authorization", "cookie"];

export function logger({ LOG_LEVEL }: Config): LoggerConfig {
  const own = [parley, ...serviceNames.map((name) => name.toUpperCase())].map((name) => [name, LOG_LEVEL]);
  const others = LOG_LEVEL === "debug" || LOG_LEVEL === "trace" ? LOG_LEVEL : "warn";
  const pino: LoggerOptions = {
    level: LOG_LEVEL,
    redact: hidden.flatMap((field) => [field, `*.${field}`]),
    ...(process.stdout.isTTY && isInstalled("pino-pretty")
      ? { transport: { target: "pino-pretty", options: { ignore: "pid,hostname,nodeID,ns,svc", translateTime: "HH:MM:ss" } } }
      : {}),
  };
  return { type: "Pino", options: { level: { ...Object.fromEntries(own), "**": others }, pino: { options: pino } } };
}

// A development dependency: production installs log JSON.
function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
