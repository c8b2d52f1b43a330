/** Checks RabbitMQ: reachable, new enough, and with quorum queues that have the arguments of this release. */
import { connect, type ChannelModel } from "amqplib";
import { groupQueues, rabbitNames, retryQueues, type DeclaredQueue } from "../../../core/queue/rabbit-topology.ts";
import { followers } from "../../../services/followers.ts";
import { fine, reasonOf, todo, type DoctorCheck, type Finding, type DoctorConnection } from "../check.ts";
import type { Meshed } from "../configuration.ts";
import { versionFinding } from "./versions.ts";
import { retryPolicyOf } from "../../../core/queue/queue.ts";

interface OpenRabbit extends Meshed {
  readonly connection: ChannelModel;
}

const version: DoctorCheck<OpenRabbit> = {
  name: "RabbitMQ",
  run({ connection: { connection } }) {
    const { version: text } = connection.serverProperties as { version?: string };
    return versionFinding("RabbitMQ", text ?? "0");
  },
};

const queues: DoctorCheck<OpenRabbit> = {
  name: "RabbitMQ queues",
  async run({ connection, mesh, config }) {
    const names = rabbitNames(mesh.name);
    const retry = retryPolicyOf(config);
    const all = [...Object.keys(followers).flatMap((group) => groupQueues(names, group)), ...retryQueues(names, retry)];
    const states = await Promise.all(all.map(async (queue) => ({ queue, state: await stateOf(connection, queue) })));
    const wrong = states.filter(({ state }) => state !== "as declared" && state !== "missing");
    if (wrong.length > 0) {
      return wrong.map(({ queue, state }) =>
        todo(
          `${queue.name} was declared with other arguments (${state}): when it is empty, delete it and start a node, which creates it again`,
        ),
      );
    }
    const missing = states.filter(({ state }) => state === "missing").length;
    return fine(
      missing === 0 ? `${all.length}, all quorum queues` : `${missing} of ${all.length} are not there yet: the first node creates them`,
    );
  },
};

/**
 * Declares an existing queue again with the same arguments, which changes nothing and fails if they differ. A missing queue is not
 * declared, since that would create it. Each try has its own channel, because a failure closes the channel.
 */
async function stateOf(connection: ChannelModel, { name, options }: DeclaredQueue): Promise<string> {
  const isThere = await onChannel(connection, (channel) => channel.checkQueue(name));
  if (isThere !== undefined) return /NOT[-_]FOUND/.test(isThere) ? "missing" : isThere;
  return (await onChannel(connection, (channel) => channel.assertQueue(name, options))) ?? "as declared";
}

/** Runs a call on its own channel. @returns why it failed; undefined on success */
async function onChannel(
  connection: ChannelModel,
  ask: (channel: Awaited<ReturnType<ChannelModel["createChannel"]>>) => Promise<unknown>,
): Promise<string | undefined> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined);
  try {
    await ask(channel);
    await channel.close();
    return undefined;
  } catch (error) {
    return /"(.*)"/.exec(reasonOf(error))?.[1] ?? reasonOf(error);
  }
}

const dead: DoctorCheck<OpenRabbit> = {
  name: "RabbitMQ dead letters",
  async run({ connection, mesh }) {
    const names = rabbitNames(mesh.name);
    const findings: Finding[] = [];
    for (const group of Object.keys(followers)) {
      const channel = await connection.createChannel();
      channel.on("error", () => undefined);
      const count = await channel.checkQueue(names.dead(group)).then(
        ({ messageCount }) => messageCount,
        () => 0,
      );
      if (count > 0) findings.push(todo(`${count} of ${group}: list them with admin.deadLetters, and replay them with admin.replay`));
    }
    return findings.length > 0 ? findings : fine("none");
  },
};

export const rabbitPart: DoctorConnection<Meshed, OpenRabbit> = {
  name: "RabbitMQ",
  async open(context) {
    const connection = await connect(context.mesh.amqpUrl, { timeout: 5000 });
    connection.on("error", () => undefined);
    return { ...context, connection };
  },
  close: ({ connection }) => connection.close(),
  explain(error) {
    const text = reasonOf(error);
    if (/ACCESS[-_]REFUSED|NOT[-_]ALLOWED/.test(text)) return "it refuses the user, the password or the virtual host: correct AMQP_URL";
    return `can't be reached (${text}): start it, or correct AMQP_URL`;
  },
  checks: [version, queues, dead],
};
