/**
 * Collects the names that nodes of two releases share during a rolling upgrade: what the contracts and tables declare, and what a running
 * mesh writes to RabbitMQ, Redis and MongoDB. Ids, addresses and the mesh's name become placeholders.
 */
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { createInterface } from "node:readline";
import { connect } from "amqplib";
import { Redis } from "ioredis";
import mongoose from "mongoose";
import { serviceDataOf } from "../../../core/backup/service-data.ts";
import { readConfig } from "../../../core/config/config.ts";
import type { ActionRef } from "../../../core/contract/contract.ts";
import { declarations } from "../../../core/metrics/declare.ts";
import { rabbitNames as queueNames } from "../../../core/queue/rabbit-topology.ts";
import { lockField } from "../../../core/store/mongo/conditions.ts";
import { loadDeclarations } from "../../../scripts/generate/metrics-table.ts";
import { followers } from "../../../services/followers.ts";
import { serverEvents } from "../../../services/gateway/socket/server-events.ts";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { glob } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { TestMesh } from "./mesh.ts";
import { resultFields } from "./result-fields.ts";

/** Sorted names, by kind. */
export type NamesByKind = Readonly<Record<string, readonly string[]>>;

const root = new URL("../../../", import.meta.url);

/** Names that contracts, schemas and tables declare. */
export async function declaredNames(): Promise<NamesByKind> {
  const actions: string[] = [];
  const topics: string[] = [];
  for (const module of await modules("services/*/contract.ts")) {
    for (const exported of Object.values(module)) {
      for (const ref of Object.values(exported as Record<string, Partial<ActionRef & { topic: string }>>)) {
        if (typeof ref.name === "string" && ref.params !== undefined) actions.push(`${ref.name}(${Object.keys(ref.params).join(", ")})`);
        if (typeof ref.topic === "string") topics.push(ref.topic);
      }
    }
  }
  const indexes: string[] = [];
  for (const module of await modules("services/*/*.service.ts")) {
    const declared = serviceDataOf(module["default"] as object);
    for (const { name, indexes: declaredIndexes } of declared?.collections ?? [])
      indexes.push(
        ...Object.entries(declaredIndexes).map(
          ([index, { fields, unique }]) => `${declared!.service}.${name}.${index}(${fields.join(", ")})${unique === true ? " unique" : ""}`,
        ),
      );
  }
  await loadDeclarations();
  const metrics = declarations().map(({ name, labels }) => `${name}{${labels.join(", ")}}`);
  const at = queueNames("<mesh>");
  const groups = Object.keys(followers);
  const queues = [
    at.events,
    at.again,
    at.retry(1000).replace("1000", "<ms>"),
    ...groups.flatMap((group) => [at.queue(group), at.dead(group)]),
  ];
  return sorted({
    actions,
    topics,
    "results and payloads": resultFields(),
    indexes,
    metrics,
    queues,
    "client events": clientEvents.map(({ event }) => event),
    "server events": Object.keys(serverEvents),
  });
}

async function modules(pattern: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for await (const path of glob(pattern, { cwd: fileURLToPath(root) }))
    found.push((await import(new URL(path, root).href)) as Record<string, unknown>);
  return found;
}

export interface NameObservation {
  /** The names seen so far: Redis keys and channels, and the fields of feed messages, durable events and stored documents. */
  names(): Promise<NamesByKind>;
  stop(): Promise<void>;
}

/** Watches what a mesh writes to its stores until it is stopped. */
export async function observeNames(mesh: TestMesh): Promise<NameObservation> {
  const name = mesh.env["MESH"]!;
  const plain = (text: string): string =>
    text
      .replaceAll(name, "<mesh>")
      .replace(/[0-9a-f]{24}/g, "<id>")
      .replace(/\p{Extended_Pictographic}/gu, "<emoji>")
      .replace(/[\w.+-]+@[\w.-]+/g, "<email>")
      .replace(/(?:\d+\.){3}\d+/g, "<address>");
  const keyIn = new RegExp(`"(${name}[^"]*)"`, "g");
  const seen = {
    keys: new Set<string>(),
    channels: new Set<string>(),
    messages: new Set<string>(),
    events: new Set<string>(),
    fields: new Set<string>(),
  };

  const redisUrl = mesh.env["REDIS_URL"]!;
  const stopMonitor = await monitorRedis(redisUrl, (line) => {
    if (!/ "(?:publish|p?(?:un)?subscribe)" /i.test(line)) for (const [, key = ""] of line.matchAll(keyIn)) seen.keys.add(plain(key));
  });
  const subscriber = new Redis(redisUrl);
  await subscriber.psubscribe(`${name}*`);
  subscriber.on("pmessage", (_pattern: string, feedChannel: string, json: string) => {
    seen.channels.add(plain(feedChannel));
    for (const path of paths(JSON.parse(json))) seen.messages.add(plain(`${feedChannel} ${path}`));
  });

  const amqp = await connect(mesh.env["AMQP_URL"]!);
  const channel = await amqp.createChannel();
  for (const group of Object.keys(followers)) await channel.checkQueue(queueNames(name).queue(group));
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, queueNames(name).events, "#");
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      for (const header of Object.keys(message.properties.headers ?? {})) seen.events.add(`${message.fields.routingKey} header ${header}`);
      for (const path of paths(JSON.parse(message.content.toString()))) seen.events.add(plain(`${message.fields.routingKey} ${path}`));
    },
    { noAck: true },
  );

  const mongo = await mongoose.createConnection(readConfig(mesh.env).mesh!.mongoUri).asPromise();
  const changes = mongo.getClient().watch([], { fullDocument: "updateLookup" });
  changes.on("error", (error) => process.stderr.write(`change stream: ${error.message}\n`));
  changes.on("change", (change) => {
    if (!("ns" in change) || !("coll" in change.ns) || !change.ns.db.startsWith(name)) return;
    const at = plain(`${change.ns.db}.${change.ns.coll}`);
    const documents = [
      "fullDocument" in change ? change.fullDocument : undefined,
      "updateDescription" in change ? change.updateDescription.updatedFields : undefined,
    ];
    for (const document of documents) {
      if (document == null) continue;
      for (const path of paths(JSON.parse(JSON.stringify(document)))) {
        // The store sets its own field at the first update, which may not be seen for each collection.
        seen.fields.add(path === lockField ? `each collection ${path}` : plain(`${at} ${path}`));
      }
    }
  });
  /** The names of all collections, including empty ones. */
  async function collections(): Promise<string[]> {
    const { databases } = await mongo.listDatabases();
    const meshDatabases = databases.filter((database) => database.name.startsWith(name));
    const lists = meshDatabases.map(async ({ name: database }) =>
      (await mongo.useDb(database, { noListener: true }).listCollections()).map((collection) => plain(`${database}.${collection.name}`)),
    );
    return (await Promise.all(lists)).flat();
  }
  return {
    async names() {
      return sorted({
        "redis keys": [...seen.keys],
        "feed channels": [...seen.channels],
        "feed messages": [...seen.messages],
        "durable events": [...seen.events],
        collections: await collections(),
        "stored fields": [...seen.fields],
      });
    },
    async stop() {
      await changes.close();
      stopMonitor();
      subscriber.disconnect();
      await amqp.close();
      await mongo.close();
    },
  };
}

/**
 * Calls `onLine` with each command that Redis executes. Not with ioredis, which fails if the first lines arrive together with the OK.
 * @returns a function that ends it
 */
async function monitorRedis(url: string, onLine: (line: string) => void): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port || 6379), hostname);
  const lines = createInterface(socket);
  socket.write("MONITOR\r\n");
  await once(lines, "line");
  lines.on("line", onLine);
  return () => socket.destroy();
}

/** The paths of a value's fields: `a.b`, with `[]` for the elements of lists. */
function paths(value: unknown): string[] {
  if (Array.isArray(value))
    return [...new Set(value.flatMap((element) => paths(element).map((path) => `[]${path === "" ? "" : "."}${path}`)))];
  if (value === null || typeof value !== "object") return [""];
  return Object.entries(value).flatMap(([key, inner]) => paths(inner).map((path) => [key, path].filter((part) => part !== "").join(".")));
}

/** Sorts the names. Leaves out a field itself if it was also seen as an object: whether it was null at some time is chance. */
const sorted = (names: Record<string, string[]>): NamesByKind =>
  Object.fromEntries(
    Object.entries(names).map(([kind, list]) => [
      kind,
      [...new Set(list)]
        .filter((name) => !list.some((other) => other.startsWith(`${name}.`) && !/collections|queues|redis/.test(kind)))
        .sort(),
    ]),
  );
