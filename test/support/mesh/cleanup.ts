/** Removes what a test's mesh left in RabbitMQ, Redis and MongoDB. Finds it by the mesh's name, so nothing else is removed. */
import { connect } from "amqplib";
import { Redis } from "ioredis";
import mongoose from "mongoose";
import { readConfig } from "../../../core/config/config.ts";
import { rabbitNames, retryDelays } from "../../../core/queue/rabbit-topology.ts";
import { followers } from "../../../services/followers.ts";
import type { ServerEnv } from "../servers/server.ts";

/** Moleculer declares one fanout exchange per packet type. Its queues are deleted by RabbitMQ. */
const packets = ["DISCOVER", "DISCONNECT", "HEARTBEAT", "INFO", "PING"];

export async function cleanUpMesh(env: ServerEnv): Promise<void> {
  const { mesh, EVENT_RETRY_MS, EVENT_ATTEMPTS } = readConfig(env);
  const { name, amqpUrl, redisUrl, mongoUri } = mesh!;
  await Promise.all([
    cleanUpRabbit(amqpUrl, name, retryDelays({ firstDelayMs: EVENT_RETRY_MS, attempts: EVENT_ATTEMPTS })),
    cleanUpRedis(redisUrl, name),
    cleanUpMongo(mongoUri, name),
  ]);
}

async function cleanUpRabbit(url: string, name: string, delays: readonly number[]): Promise<void> {
  const at = rabbitNames(name);
  const connection = await connect(url);
  const channel = await connection.createChannel();
  const groups = Object.keys(followers);
  for (const queue of [...delays.map(at.retry), ...groups.map(at.queue), ...groups.map(at.dead)]) await channel.deleteQueue(queue);
  for (const exchange of [at.events, at.again, ...packets.map((packet) => `MOL-${name}.${packet}`)]) await channel.deleteExchange(exchange);
  await connection.close();
}

async function cleanUpRedis(url: string, name: string): Promise<void> {
  const redis = new Redis(url);
  for await (const keys of redis.scanStream({ match: `*${name}*`, count: 1000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[]);
  }
  redis.disconnect();
}

async function cleanUpMongo(uri: string, name: string): Promise<void> {
  const connection = await mongoose.createConnection(uri).asPromise();
  const { databases } = await connection.listDatabases();
  for (const { name: database } of databases.filter((database) => database.name.startsWith(name)))
    await connection.useDb(database).dropDatabase();
  await connection.close();
}
