/**
 * `node scripts/container/make-secrets.ts FOLDER`: makes the secrets of a compose project that are not there yet, and leaves those
 * that are. Below FOLDER:
 *
 * - `nodes/`: `jwt-secret`, `amqp-url` and `redis-url`, for Parley's nodes, readable by their own user alone;
 * - `rabbitmq/rabbitmq.conf`, `redis/redis.conf`, `grafana/password`: for these programs, which run as other users; each folder is
 *   a volume that only its program mounts.
 *
 * The passwords are kept in `nodes/`; what is made from them is written anew at each run, so that the two can't differ.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Whole or not at all, whenever the power goes. */
function write(file: string, text: string, mode: number): void {
  // Left by a run that was cut off, and not to be written to.
  rmSync(`${file}.new`, { force: true });
  writeFileSync(`${file}.new`, text, { mode, flush: true });
  renameSync(`${file}.new`, file);
}

/** @returns the secret in the file, which is made if it is missing */
function kept(folder: string, name: string): string {
  const file = join(folder, name);
  try {
    const held = readFileSync(file, "utf8").trim();
    if (held === "") throw new Error(`${file} is empty: remove it to have a new one made`);
    return held;
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

/** Memory and disk are watched against the container's limits, not the machine's. */
const rabbitmqConf = (password: string): string => `default_user = parley
default_pass = ${password}
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = 500MB
`;

/** All that Redis holds can be lost, so nothing is written to disk; when it is full, what was used longest ago goes. */
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
