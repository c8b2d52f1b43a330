/** What all parts of the fuzz share: the server and its documents, who calls, the ledger of what is stored, and how a finding is noted. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import type { DocumentedHttp, DocumentedSockets } from "../../support/api/documented.ts";
import type { Factory } from "../../support/people/factory.ts";
import type { ApiResponse } from "../../support/people/person.ts";
import { seeded } from "../../support/seeded.ts";
import type { EmbeddedServer } from "../../support/servers/server.ts";
import { makeCallers, type Callers, type CallerRole } from "../calls/callers.ts";
import { checkAnswer, type AnswerProblem } from "../checks/answers.ts";
import { RawHttpClient, type RawCall } from "../calls/raw-http.ts";
import { differences, type StoredTables, type StoreInspector } from "../checks/stored-data.ts";
import type { FuzzPart, FuzzReport } from "../checks/report.ts";
import type { RandomSource } from "../calls/invalid-payloads.ts";

export interface FuzzSettings {
  readonly seed: number;
  /** Wrong calls of each route and event, in each role. */
  readonly each: number;
  /** Part of a route's or event's name: only these. */
  readonly only?: string | undefined;
}

/** A call that was refused, to be sent again in a burst. */
export interface RefusedCall {
  readonly call: RawCall;
  readonly role: CallerRole;
}

/** Of one route in one role. */
const mostRefused = 25;
const longestRefused = 4000;
const shownBody = 700;

export class FuzzRound {
  private readonly refused = new Map<string, RefusedCall[]>();
  private callers: Callers | undefined;
  private readonly sender: RawHttpClient;
  private baseline: StoredTables | undefined;
  private version = 0;

  readonly part: FuzzPart;
  readonly settings: FuzzSettings;
  readonly verdict: FuzzReport;
  readonly server: EmbeddedServer;
  readonly world: Factory;
  readonly http: DocumentedHttp;
  readonly sockets: DocumentedSockets;
  /** Undefined where it is not looked at. */
  readonly stored: StoreInspector | undefined;

  constructor(part: FuzzPart, of: FuzzRoundOptions) {
    this.part = part;
    this.settings = of.settings;
    this.verdict = of.verdict;
    this.server = of.server;
    this.world = of.world;
    this.http = of.http;
    this.sockets = of.sockets;
    this.stored = of.stored;
    this.sender = new RawHttpClient(of.server.url);
  }

  /** Chance of this seed for a purpose: the same whatever else runs. */
  random(...purpose: readonly string[]): RandomSource {
    const digest = createHash("sha256").update([this.settings.seed, ...purpose].join(" "));
    return seeded(digest.digest().readUInt32LE());
  }
  isAsked = (name: string): boolean => this.settings.only === undefined || name.includes(this.settings.only);

  async currentCallers(): Promise<Callers> {
    if (this.callers !== undefined) return this.callers;
    this.callers = await makeCallers(this.world);
    await this.recordBaseline();
    return this.callers;
  }
  /** What the cast has may have been ended. Where limits are on, nobody new could sign up. */
  discardCallers(): void {
    if (this.stored !== undefined) this.callers = undefined;
  }

  /** Sends a call and judges the answer. @returns the answer, if there was one */
  async call(call: RawCall, role: CallerRole): Promise<ApiResponse | undefined> {
    const answer = await this.sender.send(call).catch((error: unknown) => error as NodeJS.ErrnoException);
    const show = (outcome: string) => `${call.what}, as ${role}: ${shown(call)}\n  → ${outcome}`;
    if (!("status" in answer)) {
      // What Node's client refuses to send was no call.
      if (answer.code?.startsWith("ERR_") === true) return undefined;
      this.verdict.called(this.part, true);
      if (call.isCutOff !== true) this.verdict.found(this.part, "silent", call.operation, show(answer.message));
      await this.checkAlive();
      return undefined;
    }
    const isRefused = answer.status >= 400;
    this.verdict.called(this.part, isRefused);
    const told = `${answer.status} ${JSON.stringify(answer.body).slice(0, shownBody)}`;
    this.note(call.operation, checkAnswer(this.http, call, role, answer), (what) => show(`${what}: ${told}`));
    if (isRefused) this.remember({ call, role });
    return answer;
  }

  /** Calls of every route and role that were refused, some of each. */
  get someRefused(): RefusedCall[] {
    return [...this.refused.values()].flat();
  }
  private remember({ call, role }: RefusedCall): void {
    const key = `${call.operation} ${role}`;
    const known = this.refused.get(key) ?? [];
    const size = (call.body?.length ?? 0) + call.target.length;
    if (call.isBeside !== true && size < longestRefused && known.length < mostRefused) this.refused.set(key, [...known, { call, role }]);
  }

  note(where: string, problems: readonly AnswerProblem[], show: (what: string) => string): void {
    for (const { fault, what } of problems) this.verdict.found(this.part, fault, where, show(what));
  }

  /** @throws Error  the process is gone: there is nothing left to call */
  async checkAlive(): Promise<void> {
    await turn();
    if (this.server.hasEnded()) throw new Error("the server has ended");
  }

  /** Something was taken: what the store holds from now on is right. */
  async recordBaseline(): Promise<void> {
    if (this.stored === undefined) return;
    await this.stored.settled();
    this.version = this.stored.version();
    this.baseline = this.stored.state();
  }

  /** Something was refused: the store must hold what it held. */
  async checkUnchanged(where: string, show: () => string): Promise<void> {
    const { stored, baseline } = this;
    if (stored === undefined || baseline === undefined || stored.version() === this.version) return;
    let rows: string[] = [];
    const isSame = () => (rows = differences(baseline, stored.state())).length === 0;
    await eventually("the store holds what it held", isSame).catch(() => {
      this.verdict.found(this.part, "stored", where, `${show()}\n  stored: ${rows.join("\n  ").slice(0, shownBody)}`);
    });
    await this.recordBaseline();
  }

  close(): void {
    this.sender.close();
  }
}

export interface FuzzRoundOptions {
  readonly settings: FuzzSettings;
  readonly verdict: FuzzReport;
  readonly server: EmbeddedServer;
  readonly world: Factory;
  readonly http: DocumentedHttp;
  readonly sockets: DocumentedSockets;
  readonly stored: StoreInspector | undefined;
}

/** A call as one would write it again. */
export function shown({ method, target, headers, body }: RawCall): string {
  const { authorization, cookie, ...others } = headers;
  const text = body === undefined ? "" : ` ${JSON.stringify(body.toString().slice(0, shownBody))}`;
  const credential = String(authorization ?? cookie ?? "").slice(0, 20);
  return `${method} ${target.slice(0, shownBody)} ${JSON.stringify({ ...others, ...(credential === "" ? {} : { credential }) }).slice(0, shownBody)}${text}`;
}
