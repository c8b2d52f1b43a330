/** Configures moleculer-runner: builds the broker's options from the environment. */
import type { BrokerOptions } from "moleculer";
import { abortStart } from "./core/node/lifecycle.ts";
import { brokerOptions, overwritingVariables } from "./core/broker/options.ts";
import { ConfigError, readConfig, type Config } from "./core/config/config.ts";
import { armFaults } from "./core/fault-points.ts";
import { memoryLimitProblem } from "./core/node/memory-limit.ts";
import { faultPoints } from "./services/fault-points.ts";
import { followers } from "./services/followers.ts";

function loadConfig(): Config {
  try {
    const config = readConfig(process.env);
    const problem = memoryLimitProblem(process.constrainedMemory());
    if (problem !== undefined) return abortStart(problem);
    armFaults(config.FAULTS, faultPoints);
    return config;
  } catch (error) {
    return abortStart(...(error instanceof ConfigError ? error.lines : [(error as Error).message]));
  }
}

const options: BrokerOptions = brokerOptions(loadConfig(), followers);
const overwriting = overwritingVariables(options, process.env);
if (overwriting.length > 0)
  abortStart(
    ...overwriting.map((name) => `${name} is set, and moleculer-runner would overwrite the broker's own option with it; unset it`),
  );

// The runner loads the services that these variables select. `npm run repl` gives no mask, so it loads none.
if (process.argv.includes("--mask")) process.env["SERVICEDIR"] = "services";
else delete process.env["SERVICES"];

export default options;
