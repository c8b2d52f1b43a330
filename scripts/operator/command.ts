/** What the operator's commands have in common: the environment, one line on the error output and exit code 1 for what went wrong. */
import type { Logger } from "moleculer";
import { armFaults } from "../../core/fault-points.ts";
import { ConfigError, readConfig, type Config } from "../../core/config/config.ts";
import { version } from "../../core/version.ts";
import { faultPoints } from "../../services/fault-points.ts";

export interface Command {
  readonly config: Config;
  /** Of the program. */
  readonly version: string;
  readonly log: Logger;
  readonly say: (line: string) => void;
  /** Ends what is under way, on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** After a signal the command has so long to tidy up. */
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
