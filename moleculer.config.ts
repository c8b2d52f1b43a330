/** What moleculer-runner starts a node with: the broker's options, made from the environment. */
import type { BrokerOptions } from "moleculer";
import { endStart } from "./core/broker/lifecycle.ts";
import { brokerOptions, overwrites } from "./core/broker/options.ts";
import { ConfigError, readConfig, type Config } from "./core/config.ts";
import { armFaults } from "./core/faults.ts";
import { memoryShort } from "./core/memory.ts";
import { followers } from "./services/followers.ts";

function configured(): Config {
  try {
    const config = readConfig(process.env);
    const short = memoryShort(process.constrainedMemory());
    if (short !== undefined) return endStart(short);
    armFaults(config.FAULTS);
    return config;
  } catch (error) {
    return endStart(...(error instanceof ConfigError ? error.lines : [(error as Error).message]));
  }
}

const options: BrokerOptions = brokerOptions(configured(), followers);
const clashes = overwrites(options, process.env);
if (clashes.length > 0)
  endStart(...clashes.map((name) => `${name} is set, and moleculer-runner would overwrite the broker's own option with it; unset it`));

// The runner finds the services by these; `npm run repl` names no mask and is given none.
if (process.argv.includes("--mask")) process.env["SERVICEDIR"] = "services";
else delete process.env["SERVICES"];

export default options;
