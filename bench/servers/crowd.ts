/** Connects users in groups to a server through load processes. All members of a chat are in the same process. */
import { seededPeople } from "../../test/support/people/seeded-people.ts";
import type { ApiResponse, Person } from "../../test/support/people/person.ts";
import { temporaryFolder, freePort } from "../../test/support/servers/server.ts";
import { during, percentile, type Used } from "../measure/measure.ts";
import { shareOf } from "../load/pacing.ts";
import { loadCount, startLoad, type LoadProcess } from "../load/remote.ts";
import type { ChatLoad, ChatConnectParams, ChatDriveResult, ChatDriveParams, LoadClient } from "../load/chat.ts";
import { secret, type Served } from "./servers.ts";

/** A seeded data folder and the address of its future server. */
export interface SeededFolder {
  readonly dataDir: string;
  readonly port: number;
  readonly people: readonly Person[];
}

/** Creates a data folder with `count` users, on which a server can start. */
export async function seedFolder(count: number): Promise<SeededFolder> {
  const [dataDir, port] = [await temporaryFolder(), await freePort()];
  return { dataDir, port, people: await seededPeople(dataDir, secret, `http://127.0.0.1:${port}`, count) };
}

/** Creates a group in Parley; its first member is its admin. @returns its id */
export async function makeGroup([founder, ...others]: readonly Person[]): Promise<string> {
  const group = { name: "A group", participants: others.map(({ id }) => id) };
  const { status, body } = (await founder!.post("/chat/create-group", group)) as ApiResponse<{ _id: string }>;
  if (status !== 201) throw new Error(`create-group answered ${status}: ${JSON.stringify(body)}`);
  return body._id;
}

/** The result of one window of load. */
export interface ChatWindow {
  readonly messages: number;
  readonly deliveries: number;
  readonly perSecond: number;
  readonly server: Used;
  readonly clients: readonly Used[];
  /** Ascending. */
  readonly ackMs: Float64Array;
  readonly lastMs: Float64Array;
}

/** The clients of one server. */
export interface Crowd {
  /** All clients send in these chats, each load process its share. */
  readonly drive: (driving: ChatDriveParams) => Promise<ChatWindow>;
  readonly leave: () => Promise<void>;
}

/**
 * Connects users.
 * @param shares  the clients of each load process; all members of a chat must be in the same one
 */
export async function connectCrowd(
  served: Pick<Served, "url" | "pid">,
  shares: readonly (readonly LoadClient[])[],
  enter: ChatConnectParams["enter"],
): Promise<Crowd> {
  const loads = shares.map(() => startLoad<ChatLoad>("chat"));
  await Promise.all(loads.map((load, index) => load.ask("connect", { url: served.url, loadClients: shares[index]!, enter })));
  const chatsOf = shares.map((loadClients) => new Set(loadClients.flatMap(({ chatIds }) => chatIds)));
  return {
    async drive({ chatIds, forMs, pace }) {
      const parts = chatsOf.map((own) => chatIds.filter((chatId) => own.has(chatId)));
      const act = () => Promise.all(loads.map((load, index) => driveShare(load, parts[index]!, chatIds.length, { forMs, pace })));
      const { outcome, used } = await during([served.pid, ...loads.map(({ pid }) => pid)], act);
      const [server, ...clients] = used;
      return windowOf(outcome, server!, clients);
    },
    async leave() {
      await Promise.all(loads.map((load) => load.stop()));
    },
  };
}

const nothing: ChatDriveResult = { messages: 0, deliveries: 0, tookMs: 1, ackMs: new Float64Array(), lastMs: new Float64Array() };

/** A load process drives the share of the load that corresponds to its chats. */
async function driveShare(
  load: LoadProcess<ChatLoad>,
  chatIds: readonly string[],
  ofAll: number,
  { forMs, pace }: Omit<ChatDriveParams, "chatIds">,
) {
  if (chatIds.length === 0) return nothing;
  return load.ask("drive", { chatIds, forMs, pace: shareOf(pace, chatIds.length / ofAll) });
}

function windowOf(driven: readonly ChatDriveResult[], server: Used, clients: readonly Used[]): ChatWindow {
  const sum = (of: (one: ChatDriveResult) => number) => driven.reduce((total, one) => total + of(one), 0);
  const merged = (of: (one: ChatDriveResult) => Float64Array) => Float64Array.from(driven.flatMap((one) => [...of(one)])).sort();
  return {
    messages: sum(({ messages }) => messages),
    deliveries: sum((one) => one.deliveries),
    perSecond: sum(({ messages, tookMs }) => (messages / tookMs) * 1000),
    server,
    clients,
    ackMs: merged((one) => one.ackMs),
    lastMs: merged((one) => one.lastMs),
  };
}

/** Distributes groups of users over the load processes. */
export function sharesOf(groups: readonly (readonly LoadClient[])[]): LoadClient[][] {
  const count = Math.min(loadCount, groups.length);
  return Array.from({ length: count }, (_, share) => groups.filter((_group, index) => index % count === share).flat());
}

/** Returns a function that computes a percentile of a window. */
export const percentileOf =
  (percent: number, of: (window: ChatWindow) => Float64Array) =>
  (window: ChatWindow): number =>
    percentile(of(window), percent);
