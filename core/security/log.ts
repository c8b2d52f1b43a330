/** The security log: who did what, from where. Lines of the node's log with the field `security`, whatever `LOG_LEVEL` says. */
import { createHmac } from "node:crypto";
import type { Logger, ServiceBroker } from "moleculer";
import { addressKey } from "../address-key.ts";
import { securityLogger } from "../broker/logger.ts";
import type { Client } from "../call.ts";
import { counter } from "../metrics/declare.ts";
import { securityEventNames, securityEvents, type SecurityEventName, type SecurityFields } from "./events.ts";
import { LineBudget } from "./line-budget.ts";

export interface Who {
  readonly userId?: string | undefined;
  /** Undefined when no client caused it: an operator in the REPL. */
  readonly client?: Client | undefined;
}

export interface SecurityLog {
  /** Tells of an event, or counts it when there were too many of late. */
  note<E extends SecurityEventName>(event: E, who: Who, ...fields: keyof SecurityFields<E> extends never ? [] : [SecurityFields<E>]): void;
}

const events = counter("parley_security_events_total", "Events of the security log, those left out of it among them", ["event"]);
const everyMs = 60_000;
const logs = new WeakMap<ServiceBroker, SecurityLog>();

/** This node's. */
export function securityLog(broker: ServiceBroker): SecurityLog {
  const known = logs.get(broker);
  if (known !== undefined) return known;
  const log = broker.getLogger(securityLogger);
  const counted = events.of(broker);
  for (const event of securityEventNames) counted.inc({ event }, 0);
  const budgets = new Map(securityEventNames.map((name) => [name, new LineBudget(securityEvents[name].atMost)]));
  const tell = () => budgets.forEach((budget, name) => tellLeftOut(log, name, budget));
  const timer = setInterval(tell, everyMs).unref();
  broker.localBus.on("$broker.stopped", () => {
    clearInterval(timer);
    tell();
  });
  const made: SecurityLog = {
    note(event, { userId, client }, ...[fields]) {
      const key = userId ?? (client === undefined ? "" : addressKey(client.address));
      counted.inc({ event });
      if (!budgets.get(event)!.take(key)) return;
      const where = client === undefined ? {} : { address: client.address, device: printable(client.device) };
      log.info({ security: event, userId, ...where, ...fields }, securityEvents[event].message);
    },
  };
  logs.set(broker, made);
  return made;
}

/** In place of an address of mail that has no account: tells attempts on one from attempts on many, and nobody can read it. */
export const hashOf = (emailId: string, secret: string): string =>
  createHmac("sha256", secret).update("security log\0").update(emailId).digest("hex").slice(0, 16);

function tellLeftOut(log: Logger, event: SecurityEventName, budget: LineBudget): void {
  const leftOut = budget.renew();
  if (leftOut !== undefined) log.info({ security: event, leftOut: leftOut.count, most: leftOut.most }, "More of these were left out");
}

/** JSON escapes what could end a line; this also takes away what a terminal would obey or show elsewhere. */
const printable = (text: string): string => text.replaceAll(/[\p{C}\u2028\u2029]/gu, "?");
