/** The log: Pino's JSON lines, pretty on a terminal, each with the request it belongs to. At `info` Moleculer's own life is left out: every service and plugin has a line. */
import { createRequire } from "node:module";
import type { LoggerConfig } from "moleculer";
import type { LoggerOptions } from "pino";
import type { Config } from "../config/config.ts";
import { requestIds } from "../request-context.ts";

/** The name under which a node tells what its operator wants to know. */
export const operatorLoggerName = "PARLEY";
/** The name of the security log's lines, told at every `LOG_LEVEL`. */
export const securityLoggerName = "SECURITY";

const redactedFields = ["password", "oldPassword", "newPassword", "token", "refreshToken", "text", "authorization", "cookie"];

export function loggerConfig({ LOG_LEVEL }: Config): LoggerConfig {
  const moleculerLevel = LOG_LEVEL === "info" ? "warn" : LOG_LEVEL;
  const pino: LoggerOptions = {
    level: LOG_LEVEL,
    mixin: requestIds,
    redact: redactedFields.flatMap((field) => [field, `*.${field}`]),
    ...(process.stdout.isTTY && isInstalled("pino-pretty")
      ? { transport: { target: "pino-pretty", options: { ignore: "pid,hostname,nodeID,ns,mod,svc", translateTime: "HH:MM:ss" } } }
      : {}),
  };
  return {
    type: "Pino",
    options: { level: { [operatorLoggerName]: LOG_LEVEL, [securityLoggerName]: "info", "**": moleculerLevel }, pino: { options: pino } },
  };
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
