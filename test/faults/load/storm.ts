/**
 * Fifty people at clients of the library, in ten chats, who send, edit, delete and react all the time, and beside them old clients
 * and newcomers: made anew for each fault, so that nothing of an earlier one is among what is counted.
 */
import { Parley, type State } from "../../../client/index.ts";
import { eventually } from "../../support/eventually.ts";
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
  /** Members of each group, without old clients. */
  readonly groups: readonly number[];
  readonly directs: number;
  readonly oldClientsAtEachGateway: number;
  /** Acknowledged changes before the fault, so that it strikes a storm. */
  readonly before: number;
}
export const wholeSize: StormSize = {
  people: 50,
  groups: [12, 11, 9, 8, 6, 5, 4, 3],
  directs: 2,
  oldClientsAtEachGateway: 2,
  before: 600,
};
export const smallSize: StormSize = { people: 16, groups: [6, 5, 4, 3], directs: 1, oldClientsAtEachGateway: 1, before: 100 };

/** A new message that a client was told of by an event. */
export interface ObservedMessage {
  readonly chatId: string;
  readonly senderId: string;
  readonly clientId: string;
  /** Of the state that was told; 0 of one's own that was not stored yet. */
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
}
export interface ObservedClient extends StormClient {
  readonly told: readonly ObservedMessage[];
  readonly states: readonly { readonly state: State; readonly at: number }[];
}

export interface RunningStorm extends Storm {
  readonly clients: readonly ObservedClient[];
  readonly oldClients: readonly OldClient[];
  readonly newcomers: Newcomers;
  readonly ledger: Ledger;
  readonly standstills: StallRecorder;
  /** Members by chat; the first one was there from the beginning. */
  readonly chats: ReadonlyMap<string, readonly Person[]>;
  /** Nobody begins anything any more. @returns when, epoch milliseconds; everything begun is answered or given up */
  end(): Promise<number>;
  close(): Promise<void>;
}

/** After a fault the storm goes on for so long, so that its end is not what heals. */
export const afterMs = 3000;
const atOnce = 10;

/** Begins a storm in this world, and waits until it is under way. */
export async function startStorm(world: ReachableTarget, { proxied = 0 }: FaultEntry, size: StormSize): Promise<RunningStorm> {
  const made = factory(() => world.gateways);
  const people = await signUp(made, size.people);
  const readers = await signUp(made, 2 * size.oldClientsAtEachGateway);
  const chats = await makeChats(made, people, readers, size);
  const chatIdsOf = ({ id }: Person) => [...chats].flatMap(([chatId, members]) => (members.some((one) => one.id === id) ? [chatId] : []));
  const ledger = new Ledger();
  const dwellers = await Promise.all(
    people.map((person, index) => observeClient(person, `dweller ${index}`, chatIdsOf(person), index < proxied)),
  );
  const oldClients = await Promise.all(readers.map((person) => oldClient(person, chatIdsOf(person))));
  const joining = newcomers(world.gateways);
  const standstills = recordStalls();

  const over = new AbortController();
  const acting = dwellers.map((dweller) => runActor({ ...dweller, ledger, over: over.signal }));
  const storm: RunningStorm = {
    clients: dwellers,
    oldClients,
    newcomers: joining,
    ledger,
    standstills,
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
      standstills.stop();
      for (const one of oldClients) one.close();
      await Promise.all(dwellers.map(({ parley, proxy }) => parley.close().then(() => proxy?.close())));
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
  while (people.length < count) people.push(...(await made.people(Math.min(atOnce, count - people.length))));
  return people;
}

/** Groups of neighbours, so that each has people at both gateways and everyone is in one; then pairs of those who come last. */
async function makeChats(made: Factory, people: readonly Person[], readers: readonly Person[], size: StormSize) {
  const chats = new Map<string, readonly Person[]>();
  let next = 0;
  for (const [index, count] of size.groups.entries()) {
    const [founder, ...others] = Array.from({ length: count }, () => people[next++ % people.length]!);
    // Every reader is in three groups of four.
    others.push(...readers.filter((_, reader) => (index + reader) % 4 !== 0));
    await befriend(made, founder!, others);
    const answer = await founder!.post("/chat/create-group", { name: `Group ${index}`, participants: others.map(({ id }) => id) });
    if (answer.status !== 201) throw new Error(`No group: ${answer.status} ${JSON.stringify(answer.body)}`);
    chats.set(answer.body._id, [founder!, ...others]);
  }
  for (let index = 0; index < size.directs; index++) {
    // One pair at one gateway, the next at both.
    const [a, b] = [people.at(-1 - 4 * index)!, people.at(-3 - 3 * index)!];
    await befriend(made, a, [b]);
    const answer = await a.post("/chat/create-direct", { receiverId: b.id });
    if (answer.status !== 201) throw new Error(`No direct chat: ${answer.status} ${JSON.stringify(answer.body)}`);
    chats.set(answer.body._id, [a, b]);
  }
  return chats;
}

/** Some of them may be contacts already. */
async function befriend(made: Factory, one: Person, others: readonly Person[]): Promise<void> {
  const { body } = await one.get("/request/connections?limit=200");
  const known = new Set((body.data as { userId: string }[]).map(({ userId }) => userId));
  await Promise.all(others.filter(({ id }) => !known.has(id)).map((other) => made.befriend(one, other)));
}

async function observeClient(person: Person, name: string, chatIds: readonly string[], isProxied: boolean): Promise<ObservedClient> {
  const proxy = isProxied ? await openTcpProxy(person.url) : undefined;
  const parley = await Parley.resume({ url: proxy?.url ?? person.url, token: person.token });
  const told: ObservedMessage[] = [];
  const states: { state: State; at: number }[] = [];
  parley.on("message", ({ chatId, senderId, clientId, seq }) => told.push({ chatId, senderId, clientId, seq, at: Date.now() }));
  parley.on("state", ({ state }) => states.push({ state, at: Date.now() }));
  await parley.online();
  return { name, person, parley, gateway: person.url, ...(proxy === undefined ? {} : { proxy }), chatIds, told, states };
}
