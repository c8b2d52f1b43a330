/**
 * `node scripts/container/make-secrets.ts FOLDER`: creates the missing secrets of a compose project and keeps existing ones. Below
 * FOLDER:
 *
 * - `nodes/`: `jwt-secret`, `amqp-url` and `redis-url`, for Parley's nodes, readable by their user only;
 * - `rabbitmq/rabbitmq.conf`, `redis/redis.conf`, `grafana/password`: for these programs, which run as other users; each folder is
 *   a volume that only its program mounts.
 *
 * `nodes/` keeps the passwords. The files derived from them are rewritten at each run, so that the two can't differ.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a file as a whole or not at all, even if the power fails. */
function write(file: string, text: string, mode: number): void {
  // Left by an interrupted run; its mode forbids writing to it.
  rmSync(`${file}.new`, { force: true });
  writeFileSync(`${file}.new`, text, { mode, flush: true });
  renameSync(`${file}.new`, file);
}

/** Returns the secret in the file; creates it if it is missing. */
function kept(folder: string, name: string): string {
  const file = join(folder, name);
  try {
    const existing = readFileSync(file, "utf8").trim();
    if (existing === "") throw new Error(`${file} is empty: remove it, and the next run creates a new one`);
    return existing;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const made = randomBytes(32).toString("hex");
  write(file, `${made}\n`, 0o400);
  process.stdout.write(`Made ${file}\n`);
  return made;
}

function makeSecrets(folder: string): void {
  const nodes = join(folder, "nodes");
  const [amqp, redis, grafana] = ["rabbitmq-password", "redis-password", "grafana-password"].map((name) => kept(nodes, name));
  kept(nodes, "jwt-secret");
  write(join(nodes, "amqp-url"), `amqp://parley:${amqp}@rabbitmq:5672\n`, 0o400);
  write(join(nodes, "redis-url"), `redis://:${redis}@redis:6379\n`, 0o400);
  write(join(folder, "rabbitmq", "rabbitmq.conf"), rabbitmqConf(amqp!), 0o444);
  write(join(folder, "redis", "redis.conf"), redisConf(redis!), 0o444);
  write(join(folder, "grafana", "password"), grafana!, 0o444);
}

/** RabbitMQ measures memory and disk against the container's limits, not the machine's. */
const rabbitmqConf = (password: string): string => `default_user = parley
default_pass = ${password}
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = 500MB
`;

/** Everything in Redis may be lost, so nothing is written to disk. When memory is full, Redis evicts the least recently used keys. */
const redisConf = (password: string): string => `requirepass ${password}
save ""
appendonly no
maxmemory 160mb
maxmemory-policy allkeys-lru
`;

try {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("Usage: node scripts/container/make-secrets.ts FOLDER");
  makeSecrets(folder);
} catch (error) {
  process.stderr.write(`Can't make the secrets: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
