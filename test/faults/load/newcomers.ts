/**
 * Causes durable events during a storm: newcomers sign up and invite a host, who accepts, rejects, ends the contact or blocks them. Each
 * of these steps is an event that other services follow. Afterwards the followers' copies are compared with the announcing services' rows.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Database, Doc, Collection, Store } from "../../../core/store/store.ts";
import { outbox } from "../../../mixins/relay.ts";
import { accounts } from "../../../services/auth/accounts.repository.ts";
import { relations } from "../../../services/chat/store/collections.ts";
import { followers } from "../../../services/followers.ts";
import { profiles } from "../../../services/profile/profiles.repository.ts";
import { people } from "../../../services/request/email-directory.ts";
import { pairKey, type RelationState } from "../../../services/request/contract.ts";
import { requests } from "../../../services/request/requests.repository.ts";
import { factory } from "../../support/people/factory.ts";
import type { ApiResponse, Person } from "../../support/people/person.ts";
import type { TargetInternals } from "../target/fault.ts";

export interface Newcomers {
  /** Number of acknowledged sign-ups and contact changes. */
  readonly acknowledged: () => number;
  end(): Promise<void>;
  /** Events that a follower has not applied, still waiting outbox entries, and dead letters. */
  lost(inside: TargetInternals): Promise<string[]>;
}

interface NewcomerPair {
  readonly key: string;
  /** The last acknowledged state; undefined if a later step got no answer. */
  state: RelationState | undefined;
}
interface NewcomerRecord {
  readonly signedUp: Person[];
  readonly pairs: NewcomerPair[];
  acknowledged: number;
}

/** The final states of the invites, in turn. */
const endings = ["rejected", "accepted", "ended", "blocked", "unblocked"] as const;
const everyMs = 500;

/** @param gateways  newcomers sign up one after the other at each of them */
export function newcomers(gateways: readonly string[]): Newcomers {
  const over = new AbortController();
  const book: NewcomerRecord = { signedUp: [], pairs: [], acknowledged: 0 };
  const coming = gateways.map((url) => bringNewcomers(url, book, over.signal));
  return {
    acknowledged: () => book.acknowledged,
    async end() {
      over.abort();
      await Promise.all(coming);
    },
    lost: (inside) => findLost(book, inside),
  };
}

async function bringNewcomers(url: string, book: NewcomerRecord, over: AbortSignal): Promise<void> {
  const made = factory(() => [url]);
  const host = made.stranger();
  for (let i = 0; !over.aborted; i++) {
    try {
      if (host.token === "") await join(host, book);
      const newcomer = made.stranger();
      await join(newcomer, book);
      await meet(newcomer, host, endings[i % endings.length]!, book);
    } catch {
      // A refusal or no answer: go on with the next newcomer.
    }
    await pause(everyMs, undefined, { signal: over }).catch(() => undefined);
  }
}

async function expectSuccess(request: Promise<ApiResponse>): Promise<ApiResponse> {
  const answer = await request;
  if (answer.status >= 300) throw new Error(`${answer.status}`);
  return answer;
}

async function join(person: Person, book: NewcomerRecord): Promise<void> {
  await expectSuccess(person.signUp());
  book.signedUp.push(person);
  book.acknowledged++;
}

async function meet(newcomer: Person, host: Person, ending: (typeof endings)[number], book: NewcomerRecord): Promise<void> {
  const pair: NewcomerPair = { key: pairKey(newcomer.id, host.id), state: undefined };
  book.pairs.push(pair);
  const step = async (state: RelationState, request: Promise<ApiResponse>): Promise<ApiResponse> => {
    pair.state = undefined;
    const answer = await expectSuccess(request);
    pair.state = state;
    book.acknowledged++;
    return answer;
  };
  const { body } = await step("pending", newcomer.post("/request/invite/send", { toEmail: host.emailId }));
  const status = ending === "rejected" ? "rejected" : "accepted";
  await step(status, host.patch(`/request/respond/${body.data._id}`, { status }));
  if (ending === "ended") await step("ended", newcomer.delete(`/request/connections/${host.id}`));
  if (ending === "blocked" || ending === "unblocked") await step("blocked", host.put(`/request/blocks/${newcomer.id}`));
  if (ending === "unblocked") await step("none", host.delete(`/request/blocks/${newcomer.id}`));
}

async function findLost(book: NewcomerRecord, inside: TargetInternals): Promise<string[]> {
  const { store, queue } = inside;
  const letters = await Promise.all(Object.keys(followers).map((group) => queue.deadLetters(group, 200)));
  const dead = letters.flat().map(({ group, event }) => `dead letter of ${group}: ${event.topic} ${event.key}`);
  return [...(await peopleLost(book, store)), ...(await relationsLost(book, store)), ...(await waitingEvents(store)), ...dead];
}

async function peopleLost({ signedUp }: NewcomerRecord, store: Store): Promise<string[]> {
  const ids = signedUp.map(({ id }) => id);
  const rowsOf = async <T extends Doc>(service: string, from: Collection<T>) =>
    byId(await (await store.open(service, [from])).getMany(from, ids));
  const [known, listed, shown] = [await rowsOf("auth", accounts), await rowsOf("request", people), await rowsOf("profile", profiles)];
  return signedUp.flatMap(({ id, emailId, firstName }) => [
    ...(known.get(id)?.emailId === emailId ? [] : [`account of ${emailId}`]),
    ...(listed.get(id)?.emailId === emailId ? [] : [`request does not know ${emailId}`]),
    ...(shown.get(id)?.firstName === firstName ? [] : [`profile does not know ${emailId}`]),
  ]);
}
const byId = <T extends Doc>(rows: readonly T[]): ReadonlyMap<string, T> => new Map(rows.map((row) => [row._id, row]));

async function relationsLost({ pairs }: NewcomerRecord, store: Store): Promise<string[]> {
  const keys = pairs.map(({ key }) => ({ pair: key }));
  if (keys.length === 0) return [];
  const originals = await (await store.open("request", [requests])).find(requests, keys);
  const copies = await (await store.open("chat", [relations])).find(relations, keys);
  return pairs.flatMap(({ key, state }) => {
    const [original, copy] = [originals, copies].map((rows) => rows.find(({ pair }) => pair === key));
    if (state !== undefined && original?.state !== state) return [`${key} should be ${state}, but is ${original?.state ?? "not stored"}`];
    // A pending invite has not been announced.
    if (original === undefined || original.state === "pending") return [];
    return original.state === copy?.state && original.rev === copy.rev
      ? []
      : [`${key} is ${original.state} in request, but ${copy?.state ?? "unknown"} in chat`];
  });
}

/** The services that announce durable events: each has an outbox. */
const announcing = new Set(Object.values(followers).flatMap((topics) => topics.map((topic) => topic.split(".")[0]!)));

/** Outbox entries that were not published. */
async function waitingEvents(store: Store): Promise<string[]> {
  const ofService = async (service: string): Promise<string[]> => {
    const db: Database = await store.open(service, [outbox]);
    return (await db.page(outbox, { index: "byLease", limit: 200 })).map(({ topic, key }) => `outbox of ${service}: ${topic} ${key}`);
  };
  return (await Promise.all([...announcing].map(ofService))).flat();
}
