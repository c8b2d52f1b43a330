/** Writes the security log: the lines of the node's log that have the field `security`. They are written at any `LOG_LEVEL`. */
import { createHmac } from "node:crypto";
import type { Logger, ServiceBroker } from "moleculer";
import { addressKey } from "./address-key.ts";
import { securityLoggerName } from "../node/logger.ts";
import type { ClientInfo } from "../contract/call.ts";
import { counter } from "../metrics/declare.ts";
import { securityEventNames, securityEvents, type SecurityEventName, type SecurityFields } from "./events.ts";
import { LineBudget } from "./line-budget.ts";

export interface SecurityActor {
  readonly userId?: string | undefined;
  /** Undefined if no client caused the event, such as for an operator in the REPL. */
  readonly client?: ClientInfo | undefined;
}

export interface SecurityLog {
  /** Logs an event, or only counts it if its line limits are reached. */
  record<E extends SecurityEventName>(
    event: E,
    actor: SecurityActor,
    ...fields: keyof SecurityFields<E> extends never ? [] : [SecurityFields<E>]
  ): void;
}

const events = counter("parley_security_events_total", "Events of the security log, including those omitted by its line limits", ["event"]);
const leftOutEveryMs = 60_000;
const logs = new WeakMap<ServiceBroker, SecurityLog>();

/** The security log of this broker's node. */
export function securityLog(broker: ServiceBroker): SecurityLog {
  const known = logs.get(broker);
  if (known !== undefined) return known;
  const log = broker.getLogger(securityLoggerName);
  const counted = events.of(broker);
  for (const event of securityEventNames) counted.inc({ event }, 0);
  const budgets = new Map(securityEventNames.map((name) => [name, new LineBudget(securityEvents[name].lineLimits)]));
  const logAllLeftOut = () => budgets.forEach((budget, name) => logLeftOut(log, name, budget));
  const timer = setInterval(logAllLeftOut, leftOutEveryMs).unref();
  broker.localBus.on("$broker.stopped", () => {
    clearInterval(timer);
    logAllLeftOut();
  });
  const made: SecurityLog = {
    record(event, { userId, client }, ...[fields]) {
      const key = userId ?? (client === undefined ? "" : addressKey(client.address));
      counted.inc({ event });
      if (!budgets.get(event)!.consume(key)) return;
      const where = client === undefined ? {} : { address: client.address, device: printable(client.device) };
      log.info({ security: event, userId, ...where, ...fields }, securityEvents[event].message);
    },
  };
  logs.set(broker, made);
  return made;
}

/**
 * Stands for an e-mail address without an account. It distinguishes attempts on one address from attempts on many, without revealing
 * the addresses.
 */
export const accountHashOf = (emailId: string, secret: string): string =>
  createHmac("sha256", secret).update("security log\0").update(emailId).digest("hex").slice(0, 16);

function logLeftOut(log: Logger, event: SecurityEventName, budget: LineBudget): void {
  const leftOut = budget.renew();
  if (leftOut !== undefined) log.info({ security: event, leftOut: leftOut.count, most: leftOut.most }, "More of these were left out");
}

/** Replaces characters that control a terminal or reorder its text. JSON already escapes line ends. */
const printable = (text: string): string => text.replaceAll(/[\p{C}\u2028\u2029]/gu, "?");
