/** Opens queues for tests on every adapter, opens them again with the same contents, and cleans up. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "amqplib";
import { ServiceBroker, type Logger } from "moleculer";
import { followClock } from "../../../core/clock.ts";
import { newId } from "../../../core/ids.ts";
import { openLocalQueue } from "../../../core/queue/local.ts";
import type { DurableEvent, ConsumerGroups, Queue, RetryPolicy } from "../../../core/queue/queue.ts";
import { rabbitNames, retryDelays } from "../../../core/queue/rabbit-topology.ts";
import { openRabbitQueue } from "../../../core/queue/rabbit.ts";
import { openSqliteStore } from "../../../core/store/sqlite/store.ts";
import { amqpUrl } from "../infrastructure/infra.ts";

export const quietLogger: Logger = new ServiceBroker({ logger: false }).getLogger("TEST");

/** Where the events are stored: a folder, or queues in RabbitMQ. */
export interface TestQueues {
  /** Opens the queue, or opens it again after it was closed. */
  readonly open: (retry?: Partial<RetryPolicy>) => Promise<Queue>;
  /** Closes what is open and removes all that was stored. */
  readonly cleanUp: () => Promise<void>;
}

export const groups = {
  profile: ["user.created", "user.changed"],
  request: ["user.created"],
  slow: ["slow.topic"],
} as const satisfies ConsumerGroups;
const usual: RetryPolicy = { firstDelayMs: 50, attempts: 3 };

export interface LocalTestQueues extends TestQueues {
  /** Closes the store without closing the queue, as if the process had died. */
  readonly crash: () => Promise<void>;
}

export async function localTestQueues(): Promise<LocalTestQueues> {
  const folder = await mkdtemp(join(tmpdir(), "parley-queue-"));
  const nothing = (): Promise<void> => Promise.resolve();
  let [close, crash] = [nothing, nothing];
  return {
    async open(retry) {
      await close();
      const store = await openSqliteStore(folder, { log: quietLogger });
      const clock = await followClock(() => store.time());
      const queue = await openLocalQueue({ store, groups, retry: { ...usual, ...retry }, clock, log: quietLogger });
      crash = async () => {
        clock.stop();
        await store.close();
        close = nothing;
      };
      close = async () => {
        await queue.close();
        await crash();
      };
      return queue;
    },
    crash: () => crash(),
    async cleanUp() {
      await close();
      await rm(folder, { recursive: true });
    },
  };
}

export interface RabbitTestQueues extends TestQueues {
  readonly name: string;
  /** Opens the queue of one more node of the same mesh. @param url  for example that of a proxy */
  readonly join: (url?: string) => Promise<Queue>;
}

export function rabbitTestQueues(): RabbitTestQueues {
  const name = `test-${randomUUID()}`;
  const opened: Queue[] = [];
  const delays = new Set<number>();
  const join = async (url = amqpUrl(), retry: Partial<RetryPolicy> = {}): Promise<Queue> => {
    const policy = { ...usual, ...retry };
    for (const delay of retryDelays(policy)) delays.add(delay);
    const queue = await openRabbitQueue({ url, name, groups, retry: policy, log: quietLogger });
    opened.push(queue);
    return queue;
  };
  const close = () => Promise.all(opened.splice(0).map((queue) => queue.close()));
  return {
    name,
    join,
    async open(retry) {
      await close();
      return join(amqpUrl(), retry);
    },
    async cleanUp() {
      await close();
      await removeFromRabbit(name, [...delays]);
    },
  };
}

async function removeFromRabbit(name: string, delays: readonly number[]): Promise<void> {
  const at = rabbitNames(name);
  const connection = await connect(amqpUrl());
  const channel = await connection.createChannel();
  const queues = [...delays.map(at.retry), ...Object.keys(groups).flatMap((group) => [at.queue(group), at.dead(group)])];
  for (const queue of queues) await channel.deleteQueue(queue);
  for (const exchange of [at.events, at.again]) await channel.deleteExchange(exchange);
  await connection.close();
}

export const event = (topic: string, rev = 1): DurableEvent => ({ id: newId(), topic, key: "someone", rev, payload: { name: "Åse", rev } });
