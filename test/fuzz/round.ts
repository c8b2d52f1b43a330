/** What all parts of the fuzz share: the server and its documents, who calls, the ledger of what is stored, and how a finding is noted. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import type { DocumentedHttp, DocumentedSockets } from "../support/documented.ts";
import type { Factory } from "../support/factory.ts";
import type { Answer } from "../support/person.ts";
import { seeded } from "../support/seeded.ts";
import type { Server } from "../support/server.ts";
import { makeCast, type Cast, type Role } from "./cast.ts";
import { judgeAnswer, type Problem } from "./judge.ts";
import { Sender, type Call } from "./send.ts";
import { differences, type State, type Stored } from "./stored.ts";
import type { Part, Verdict } from "./verdict.ts";
import type { Chance } from "./wrong.ts";

export interface Settings {
  readonly seed: number;
  /** Wrong calls of each route and event, in each role. */
  readonly each: number;
  /** Part of a route's or event's name: only these. */
  readonly only?: string | undefined;
}

/** A call that was refused, to be sent again in a burst. */
export interface Refused {
  readonly call: Call;
  readonly role: Role;
}

/** Of one route in one role. */
const mostRefused = 25;
const longestRefused = 4000;
const shownBody = 700;

export class Round {
  private readonly refused = new Map<string, Refused[]>();
  private made: Cast | undefined;
  private readonly sender: Sender;
  private baseline: State | undefined;
  private version = 0;

  readonly part: Part;
  readonly settings: Settings;
  readonly verdict: Verdict;
  readonly server: Server;
  readonly world: Factory;
  readonly http: DocumentedHttp;
  readonly sockets: DocumentedSockets;
  /** Undefined where it is not looked at. */
  readonly stored: Stored | undefined;

  constructor(part: Part, of: Base) {
    this.part = part;
    this.settings = of.settings;
    this.verdict = of.verdict;
    this.server = of.server;
    this.world = of.world;
    this.http = of.http;
    this.sockets = of.sockets;
    this.stored = of.stored;
    this.sender = new Sender(of.server.url);
  }

  /** Chance of this seed for a purpose: the same whatever else runs. */
  chance(...purpose: readonly string[]): Chance {
    const digest = createHash("sha256").update([this.settings.seed, ...purpose].join(" "));
    return seeded(digest.digest().readUInt32LE());
  }
  isAsked = (name: string): boolean => this.settings.only === undefined || name.includes(this.settings.only);

  async cast(): Promise<Cast> {
    if (this.made !== undefined) return this.made;
    this.made = await makeCast(this.world);
    await this.taken();
    return this.made;
  }
  /** What the cast has may have been ended. Where limits are on, nobody new could sign up. */
  spoiled(): void {
    if (this.stored !== undefined) this.made = undefined;
  }

  /** Sends a call and judges the answer. @returns the answer, if there was one */
  async call(call: Call, role: Role): Promise<Answer | undefined> {
    const answer = await this.sender.send(call).catch((error: unknown) => error as NodeJS.ErrnoException);
    const show = (outcome: string) => `${call.what}, as ${role}: ${shown(call)}\n  → ${outcome}`;
    if (!("status" in answer)) {
      // What Node's client refuses to send was no call.
      if (answer.code?.startsWith("ERR_") === true) return undefined;
      this.verdict.called(this.part, true);
      if (call.isCutOff !== true) this.verdict.found(this.part, "silent", call.operation, show(answer.message));
      await this.lives();
      return undefined;
    }
    const isRefused = answer.status >= 400;
    this.verdict.called(this.part, isRefused);
    const told = `${answer.status} ${JSON.stringify(answer.body).slice(0, shownBody)}`;
    this.note(call.operation, judgeAnswer(this.http, call, role, answer), (what) => show(`${what}: ${told}`));
    if (isRefused) this.remember({ call, role });
    return answer;
  }

  /** Calls of every route and role that were refused, some of each. */
  get someRefused(): Refused[] {
    return [...this.refused.values()].flat();
  }
  private remember({ call, role }: Refused): void {
    const key = `${call.operation} ${role}`;
    const known = this.refused.get(key) ?? [];
    const size = (call.body?.length ?? 0) + call.target.length;
    if (call.isBeside !== true && size < longestRefused && known.length < mostRefused) this.refused.set(key, [...known, { call, role }]);
  }

  note(where: string, problems: readonly Problem[], show: (what: string) => string): void {
    for (const { fault, what } of problems) this.verdict.found(this.part, fault, where, show(what));
  }

  /** @throws Error  the process is gone: there is nothing left to call */
  async lives(): Promise<void> {
    await turn();
    if (this.server.hasEnded()) throw new Error("the server has ended");
  }

  /** Something was taken: what the store holds from now on is right. */
  async taken(): Promise<void> {
    if (this.stored === undefined) return;
    await this.stored.settled();
    this.version = this.stored.version();
    this.baseline = this.stored.state();
  }

  /** Something was refused: the store must hold what it held. */
  async unchanged(where: string, show: () => string): Promise<void> {
    const { stored, baseline } = this;
    if (stored === undefined || baseline === undefined || stored.version() === this.version) return;
    let rows: string[] = [];
    const isSame = () => (rows = differences(baseline, stored.state())).length === 0;
    await eventually("the store holds what it held", isSame).catch(() => {
      this.verdict.found(this.part, "stored", where, `${show()}\n  stored: ${rows.join("\n  ").slice(0, shownBody)}`);
    });
    await this.taken();
  }

  close(): void {
    this.sender.close();
  }
}

export interface Base {
  readonly settings: Settings;
  readonly verdict: Verdict;
  readonly server: Server;
  readonly world: Factory;
  readonly http: DocumentedHttp;
  readonly sockets: DocumentedSockets;
  readonly stored: Stored | undefined;
}

/** A call as one would write it again. */
export function shown({ method, target, headers, body }: Call): string {
  const { authorization, cookie, ...others } = headers;
  const text = body === undefined ? "" : ` ${JSON.stringify(body.toString().slice(0, shownBody))}`;
  const credential = String(authorization ?? cookie ?? "").slice(0, 20);
  return `${method} ${target.slice(0, shownBody)} ${JSON.stringify({ ...others, ...(credential === "" ? {} : { credential }) }).slice(0, shownBody)}${text}`;
}
