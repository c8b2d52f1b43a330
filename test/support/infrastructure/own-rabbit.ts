/** Starts a RabbitMQ for one test, which the test can kill and start again. It keeps its data over a restart. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { connect } from "amqplib";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { eventually } from "../eventually.ts";
import { freeze } from "../fault-injection/freeze.ts";
import { freePort, temporaryFolder } from "../servers/server.ts";

/** The server itself. The wrapper that packages put on the PATH changes to another user and that user's folders. */
const program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
export const hasRabbit = existsSync(program);

export interface OwnRabbit {
  readonly url: string;
  freeze(): void;
  thaw(): void;
  /** Sends SIGKILL, and waits until it has ended. It can't recover if a queue was declared less than about a second before. */
  kill(): Promise<void>;
  /** Starts it again with its data, and waits until it accepts connections. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** @param address  that it listens on */
export async function startOwnRabbit(address = "127.0.0.1"): Promise<OwnRabbit> {
  const [port, distribution, names, folder] = [await freePort(), await freePort(), await freePort(), await temporaryFolder()];
  const url = `amqp://guest:guest@${address}:${port}`;
  const settings = join(folder, "rabbitmq.conf");
  await writeFile(settings, `listeners.tcp.1 = ${address}:${port}\nloopback_users = none\n`);
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    ERL_EPMD_PORT: `${names}`,
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: settings,
    RABBITMQ_NODENAME: "tests@localhost",
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
    // Makes the shell script replace itself with the server, so that signals reach the server.
    RUNNING_UNDER_SYSTEMD: "true",
  };
  // Erlang's port mapper. Without this one RabbitMQ would start one that outlives it.
  const epmd = spawn("epmd", ["-port", `${names}`, "-address", "127.0.0.1"], { stdio: "ignore" });
  let server: ChildProcess | undefined;
  const killAll = () => {
    server?.kill("SIGKILL");
    epmd.kill("SIGKILL");
  };
  const forget = cleanUpOnExit(killAll);

  const own: OwnRabbit = {
    url,
    freeze: () => freeze(server!),
    thaw: () => void server?.kill("SIGCONT"),
    async kill() {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
    },
    async start() {
      server = spawn(program, [], { env, stdio: "ignore" });
      await eventually("RabbitMQ accepts connections", () => acceptsConnections(url), 60_000);
    },
    async stop() {
      forget();
      await own.kill();
      epmd.kill("SIGKILL");
      await rm(folder, { recursive: true });
    },
  };
  try {
    await own.start();
  } catch (error) {
    await own.stop();
    throw error;
  }
  return own;
}

async function acceptsConnections(url: string): Promise<boolean> {
  const connection = await connect(url, { timeout: 2000 });
  await connection.close();
  return true;
}
