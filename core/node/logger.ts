/**
 * Configures the log: Pino's JSON lines, formatted on a terminal, each with the id of its request. At `info` Moleculer's own lines are
 * omitted, because it logs one for every service and plugin.
 */
import { createRequire } from "node:module";
import type { LoggerConfig } from "moleculer";
import type { LoggerOptions } from "pino";
import type { Config } from "../config/config.ts";
import { requestIds } from "../request-context.ts";

/** The logger for messages to the operator. */
export const operatorLoggerName = "PARLEY";
/** The logger of the security log, written at any `LOG_LEVEL`. */
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
