/** Runs operator commands: reads the environment, prints an error as one line on standard error, and sets the exit code. */
import type { Logger } from "moleculer";
import { armFaults } from "../../core/fault-points.ts";
import { ConfigError, readConfig, type Config } from "../../core/config/config.ts";
import { version } from "../../core/version.ts";
import { faultPoints } from "../../services/fault-points.ts";

export interface Command {
  readonly config: Config;
  /** Version of the program. */
  readonly version: string;
  readonly log: Logger;
  readonly say: (line: string) => void;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** How long a command may clean up after a signal. */
const cleanUpTimeoutMs = 5000;

const printError = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs a command and ends the process. */
export async function run(work: (command: Command) => Promise<void>): Promise<never> {
  const aborting = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      aborting.abort(new Error(`Ended by ${name}`));
      setTimeout(() => {
        printError(`Ended by ${name}`);
        process.exit(1);
      }, cleanUpTimeoutMs);
    });
  }
  try {
    const config = readConfig(process.env);
    armFaults(config.FAULTS, faultPoints);
    const say = (line: string) => void process.stdout.write(`${line}\n`);
    await work({ config, version, log, say, signal: aborting.signal });
    process.exit(0);
  } catch (error) {
    const lines = error instanceof ConfigError ? error.lines : [(error as Error).message.replaceAll("\n", " ")];
    lines.forEach(printError);
    process.exit(1);
  }
}

const quiet = () => undefined;
const aloud = (...what: readonly unknown[]) => printError(what.map((one) => (one instanceof Error ? one.message : String(one))).join(" "));
const log: Logger = { fatal: aloud, error: aloud, warn: aloud, info: quiet, debug: quiet, trace: quiet };
