/**
 * A storm: 50 users of the client library who send and change messages in ten chats, with old clients and newcomers beside them. Each
 * fault gets a new storm with new users, so that its counts include nothing of an earlier one.
 */
import { Parley, type State } from "../../../client/index.ts";
import { eventually } from "../../support/eventually.ts";
import { changingActions } from "../../support/client/message-changes.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { openTcpProxy } from "../../support/fault-injection/tcp-proxy.ts";
import { runActor } from "./actors.ts";
import type { StormClient, FaultEntry, ReachableTarget, Storm } from "../target/fault.ts";
import { Ledger } from "./ledger.ts";
import { newcomers, type Newcomers } from "./newcomers.ts";
import { oldClient, type OldClient } from "./old-client.ts";
import { recordStalls, type StallRecorder } from "./stalls.ts";

export interface StormSize {
  readonly people: number;
  /** Members of each group, not counting old clients. */
  readonly groups: readonly number[];
  readonly directs: number;
  readonly oldClientsAtEachGateway: number;
  /** Changes that must be acknowledged before the fault, so that the storm is under way. */
  readonly before: number;
}
export const fullSize: StormSize = {
  people: 50,
  groups: [12, 11, 9, 8, 6, 5, 4, 3],
  directs: 2,
  oldClientsAtEachGateway: 2,
  before: 600,
};
export const smallSize: StormSize = { people: 16, groups: [6, 5, 4, 3], directs: 1, oldClientsAtEachGateway: 1, before: 100 };

/** A new message that a client got an event for. */
export interface ObservedMessage {
  readonly chatId: string;
  readonly senderId: string;
  readonly clientId: string;
  /** The `seq` in the event; 0 for a message of the client itself that was not stored yet. */
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
}
export interface ObservedClient extends StormClient {
  readonly received: readonly ObservedMessage[];
  readonly states: readonly { readonly state: State; readonly at: number }[];
}

export interface RunningStorm extends Storm {
  readonly clients: readonly ObservedClient[];
  readonly oldClients: readonly OldClient[];
  readonly newcomers: Newcomers;
  readonly ledger: Ledger;
  readonly stalls: StallRecorder;
  /** Members by chat; the first one was there from the beginning. */
  readonly chats: ReadonlyMap<string, readonly Person[]>;
  /** Starts no more operations and waits for those under way. @returns the time of the call, epoch milliseconds */
  end(): Promise<number>;
  close(): Promise<void>;
}

/** How long the storm continues after a fault, so that recovery happens under load. */
export const afterMs = 3000;
const concurrency = 10;

/** Starts a storm on this target, and waits until it is under way. @param actions  the changes of messages that it makes */
export async function startStorm(
  target: ReachableTarget,
  { proxied = 0 }: FaultEntry,
  size: StormSize,
  actions = changingActions,
): Promise<RunningStorm> {
  const made = factory(() => target.gateways);
  const people = await signUp(made, size.people);
  const readers = await signUp(made, 2 * size.oldClientsAtEachGateway);
  const chats = await makeChats(made, people, readers, size);
  const chatIdsOf = ({ id }: Person) => [...chats].flatMap(([chatId, members]) => (members.some((one) => one.id === id) ? [chatId] : []));
  const ledger = new Ledger();
  const clients = await Promise.all(
    people.map((person, index) => observeClient(person, `client ${index}`, chatIdsOf(person), index < proxied)),
  );
  const oldClients = await Promise.all(readers.map((person) => oldClient(person, chatIdsOf(person))));
  const joining = newcomers(target.gateways);
  const stalls = recordStalls();

  const over = new AbortController();
  const acting = clients.map((client) => runActor({ ...client, ledger, actions, over: over.signal }));
  const storm: RunningStorm = {
    clients,
    oldClients,
    newcomers: joining,
    ledger,
    stalls,
    chats,
    acknowledged: () => ledger.acknowledged,
    async end() {
      over.abort();
      const at = Date.now();
      await Promise.all([...acting, joining.end()]);
      return at;
    },
    async close() {
      over.abort();
      stalls.stop();
      for (const one of oldClients) one.close();
      await Promise.all(clients.map(({ parley, proxy }) => parley.close().then(() => proxy?.close())));
      await Promise.all([...acting, joining.end()]);
    },
  };
  await eventually("the storm is under way", () => ledger.acknowledged >= size.before, 60_000).catch(async (error: unknown) => {
    await storm.close();
    throw error;
  });
  return storm;
}

async function signUp(made: Factory, count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(...(await made.people(Math.min(concurrency, count - people.length))));
  return people;
}

/** Creates groups of consecutive people, so that each has members at both gateways and everyone is in one; then pairs from the end. */
async function makeChats(made: Factory, people: readonly Person[], readers: readonly Person[], size: StormSize) {
  const chats = new Map<string, readonly Person[]>();
  let next = 0;
  for (const [index, count] of size.groups.entries()) {
    const [founder, ...others] = Array.from({ length: count }, () => people[next++ % people.length]!);
    // Each reader is in three of every four groups.
    others.push(...readers.filter((_, reader) => (index + reader) % 4 !== 0));
    await befriend(made, founder!, others);
    const answer = await founder!.post("/chat/create-group", { name: `Group ${index}`, participants: others.map(({ id }) => id) });
    if (answer.status !== 201) throw new Error(`Could not create a group: ${answer.status} ${JSON.stringify(answer.body)}`);
    chats.set(answer.body._id, [founder!, ...others]);
  }
  for (let index = 0; index < size.directs; index++) {
    // The pairs alternate between one gateway and both.
    const [a, b] = [people.at(-1 - 4 * index)!, people.at(-3 - 3 * index)!];
    await befriend(made, a, [b]);
    const answer = await a.post("/chat/create-direct", { receiverId: b.id });
    if (answer.status !== 201) throw new Error(`Could not create a direct chat: ${answer.status} ${JSON.stringify(answer.body)}`);
    chats.set(answer.body._id, [a, b]);
  }
  return chats;
}

/** Makes contacts of those who are not contacts yet. */
async function befriend(made: Factory, person: Person, others: readonly Person[]): Promise<void> {
  const { body } = await person.get("/request/connections?limit=200");
  const known = new Set((body.data as { userId: string }[]).map(({ userId }) => userId));
  await Promise.all(others.filter(({ id }) => !known.has(id)).map((other) => made.befriend(person, other)));
}

async function observeClient(person: Person, name: string, chatIds: readonly string[], isProxied: boolean): Promise<ObservedClient> {
  const proxy = isProxied ? await openTcpProxy(person.url) : undefined;
  const parley = await Parley.resume({ url: proxy?.url ?? person.url, token: person.token });
  const received: ObservedMessage[] = [];
  const states: { state: State; at: number }[] = [];
  parley.on("message", ({ chatId, senderId, clientId, seq }) => received.push({ chatId, senderId, clientId, seq, at: Date.now() }));
  parley.on("state", ({ state }) => states.push({ state, at: Date.now() }));
  await parley.online();
  return { name, person, parley, gateway: person.url, ...(proxy === undefined ? {} : { proxy }), chatIds, received, states };
}
