/** Builds the broker's options from the configuration, and finds environment variables that would overwrite them. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { cacherOptions } from "../cache/cacher.ts";
import type { Config } from "../config/config.ts";
import { modeFactsOf } from "../config/mode.ts";
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
import { amqpTransporter, serializer } from "./transporter.ts";

export function brokerOptions(config: Config, groups: ConsumerGroups): BrokerOptions {
  const { mesh } = config;
  return {
    namespace: modeFactsOf(config).namespace,
    // Random: with a fixed id, a new process would receive requests queued for the dead process that had the id before.
    nodeID: `${hostname()}-${randomBytes(4).toString("hex")}`,
    logger: loggerConfig(config),
    ...(mesh === undefined ? {} : { transporter: amqpTransporter(mesh.amqpUrl) }),
    cacher: cacherOptions(mesh),
    serializer,
    requestTimeout: defaultCallPolicy.timeoutMs,
    // A dead node is detected within 8 s: Moleculer also checks at the interval of the timeout. With less, a busy node would look dead.
    heartbeatInterval: 1,
    heartbeatTimeout: 4,
    // On stop, calls in progress are finished, not rejected.
    tracking: { enabled: true, shutdownTimeout: 8000 },
    // With preferLocal, a node that offers an action would never use the routing.
    registry: { preferLocal: false, strategy: Routing },
    // By default, other nodes learn of this node's services up to 1 s after it reports ready. The types lack this option.
    transit: { serviceChangedDebounceTime: 50 } as object,
    circuitBreaker: {
      enabled: true,
      threshold: circuitBreakerDefaults.threshold,
      minRequestCount: circuitBreakerDefaults.minRequestCount,
      windowTime: circuitBreakerDefaults.windowSeconds,
      halfOpenTime: circuitBreakerDefaults.halfOpenMs,
      // A domain error is a response, even UNAVAILABLE: one stuck chat must not open the breaker for a whole node.
      check: (error) => codeOf(error) === undefined && (error as { code?: number }).code! >= 500,
    },
    // Parley's own metrics tell more, cost less, and reveal nothing about the machine, its user or its folders.
    metrics: false,
    tracing:
      config.TRACING_URL === undefined
        ? { enabled: false }
        : {
            enabled: true,
            // eslint-disable-next-line no-restricted-syntax -- Moleculer accepts an exporter instance; its types don't
            exporter: new SpanExporter(config.TRACING_URL) as never,
            sampling: { rate: config.TRACING_SAMPLE },
          },
    metadata: { routing: config.ROUTING },
    // Innermost first. `access` must stay first, see access.ts.
    middlewares: [access, deadline(), lifecycle(config, groups), ...builtInMiddlewares, callMetrics(), nodeMetrics(config), requests()],
    internalMiddlewares: false,
    skipProcessEventRegistration: true,
    internalServices: true,
  };
}

/**
 * The environment variables with which moleculer-runner would overwrite broker options, bypassing the configuration: the upper-cased path
 * of every option, and all names that begin with MOL_, which it applies even if they are empty.
 */
export function overwritingVariables(options: BrokerOptions, env: NodeJS.ProcessEnv): string[] {
  const paths = (value: object, prefix: string): string[] =>
    Object.entries(value).flatMap(([key, inner]) => {
      const path = `${prefix}${key}`.toUpperCase();
      const isPlain = typeof inner === "object" && inner !== null && Object.getPrototypeOf(inner) === Object.prototype;
      return [path, ...(isPlain ? paths(inner as object, `${path}_`) : [])];
    });
  const names = new Set([...paths(ServiceBroker.defaultOptions, ""), ...paths(options, "")]);
  return Object.keys(env).filter((name) => name.startsWith("MOL_") || (Boolean(env[name]) && names.has(name)));
}
