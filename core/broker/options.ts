/** The broker's options, made from the configuration. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { cacherOptions } from "../cache/cacher.ts";
import type { Config } from "../config/config.ts";
import { deploymentOf } from "../config/deployment.ts";
import { codeOf } from "../errors.ts";
import { nodeMetrics } from "../node/node-metrics.ts";
import { circuitBreakerDefaults, defaultCallPolicy } from "../contract/call-policy.ts";
import type { ConsumerGroups } from "../queue/queue.ts";
import { access } from "./access.ts";
import { callMetrics } from "./call-metrics.ts";
import { deadline } from "./deadline.ts";
import { lifecycle } from "../node/lifecycle.ts";
import { loggerConfig } from "../node/logger.ts";
import { builtInMiddlewares } from "./built-in-middlewares.ts";
import { Routing } from "./routing.ts";
import { SpanExporter } from "./tracing/exporter.ts";
import { requests } from "./tracing/requests.ts";
import { amqpTransporter } from "./transporter.ts";

export function brokerOptions(config: Config, groups: ConsumerGroups): BrokerOptions {
  const { mesh } = config;
  return {
    namespace: deploymentOf(config).namespace,
    // Never a fixed one: it would inherit the queued requests of the dead process that had it before.
    nodeID: `${hostname()}-${randomBytes(4).toString("hex")}`,
    logger: loggerConfig(config),
    ...(mesh === undefined ? {} : { transporter: amqpTransporter(mesh.amqpUrl) }),
    cacher: cacherOptions(mesh),
    serializer: "JSONExt",
    requestTimeout: defaultCallPolicy.timeoutMs,
    // A dead node is noticed within 8 s, for Moleculer checks as often as this; less would take a busy machine for a dead one.
    heartbeatInterval: 1,
    heartbeatTimeout: 4,
    // In-flight calls are finished at the end, not rejected.
    tracking: { enabled: true, shutdownTimeout: 8000 },
    // Preferring itself, a node that offers an action would never follow the routing.
    registry: { preferLocal: false, strategy: Routing },
    // A second by default: so long others would not know the services of a node that says it is ready. The types lack it.
    transit: { serviceChangedDebounceTime: 50 } as object,
    circuitBreaker: {
      enabled: true,
      threshold: circuitBreakerDefaults.threshold,
      minRequestCount: circuitBreakerDefaults.minRequestCount,
      windowTime: circuitBreakerDefaults.windowSeconds,
      halfOpenTime: circuitBreakerDefaults.halfOpenMs,
      // What a service says itself, even "unavailable", is an answer: one stuck chat must not close a node for all.
      check: (error) => codeOf(error) === undefined && (error as { code?: number }).code! >= 500,
    },
    // Ours say more and cost less, and say nothing of the machine, its user or their folders.
    metrics: false,
    tracing:
      config.TRACING_URL === undefined
        ? { enabled: false }
        : {
            enabled: true,
            // eslint-disable-next-line no-restricted-syntax -- Moleculer takes an exporter that is made already; its types don't
            exporter: new SpanExporter(config.TRACING_URL) as never,
            sampling: { rate: config.TRACING_SAMPLE },
          },
    metadata: { routing: config.ROUTING },
    middlewares: [access, deadline(), lifecycle(config, groups), ...builtInMiddlewares, callMetrics(), nodeMetrics(config), requests()],
    internalMiddlewares: false,
    skipProcessEventRegistration: true,
    internalServices: true,
  };
}

/**
 * Environment variables that moleculer-runner would overwrite broker options with, behind the configuration's back: every
 * option's upper-cased path, and all that begin with MOL_.
 */
export function overwritingVariables(options: BrokerOptions, env: NodeJS.ProcessEnv): string[] {
  const paths = (value: object, prefix: string): string[] =>
    Object.entries(value).flatMap(([key, inner]) => {
      const path = `${prefix}${key}`.toUpperCase();
      const isPlain = typeof inner === "object" && inner !== null && Object.getPrototypeOf(inner) === Object.prototype;
      return [path, ...(isPlain ? paths(inner as object, `${path}_`) : [])];
    });
  const names = new Set([...paths(ServiceBroker.defaultOptions, ""), ...paths(options, "")]);
  return Object.keys(env).filter((name) => Boolean(env[name]) && (names.has(name) || name.startsWith("MOL_")));
}
