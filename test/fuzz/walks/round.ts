/** State that all parts of the fuzz share: the server and its documents, the callers, the expected contents of the store, and the report. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import type { DocumentedHttp, DocumentedSockets } from "../../support/api/documented.ts";
import type { Factory } from "../../support/people/factory.ts";
import type { ApiResponse, TestSocket } from "../../support/people/person.ts";
import { seeded } from "../../support/random.ts";
import type { EmbeddedServer } from "../../support/servers/server.ts";
import { makeCallers, type Callers, type CallerRole } from "../calls/callers.ts";
import { checkAnswer, type AnswerProblem } from "../checks/answers.ts";
import { RawHttpClient, type RawCall } from "../calls/raw-http.ts";
import { differences, type StoredTables, type StoreInspector } from "../checks/stored-data.ts";
import type { FuzzPart, FuzzReport } from "../checks/report.ts";
import type { RandomSource } from "../calls/invalid-payloads.ts";

export interface FuzzSettings {
  readonly seed: number;
  /** Calls of each route and event in each role. */
  readonly each: number;
  /** Limits the run to routes and events with this text in their name. */
  readonly only?: string | undefined;
}

/** A call that was refused, to be sent again in a burst. */
export interface RefusedCall {
  readonly call: RawCall;
  readonly role: CallerRole;
}

/** Refused calls that are kept of one route in one role. */
const maxRefused = 25;
const maxRefusedLength = 4000;
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
  /** Undefined if the database is not checked. */
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

  /** A random source for one purpose, derived from the seed. It does not depend on what else runs. */
  random(...purpose: readonly string[]): RandomSource {
    const digest = createHash("sha256").update([this.settings.seed, ...purpose].join(" "));
    return seeded(digest.digest().readUInt32LE());
  }
  isSelected = (name: string): boolean => this.settings.only === undefined || name.includes(this.settings.only);

  async currentCallers(): Promise<Callers> {
    if (this.callers !== undefined) return this.callers;
    this.callers = await makeCallers(this.world);
    await this.recordBaseline();
    return this.callers;
  }
  /** Called when the callers' data may have been removed. With rate limits on they are kept, because new users could not sign up. */
  discardCallers(): void {
    if (this.stored !== undefined) this.callers = undefined;
  }

  /** Sends a call and checks the answer. @returns the answer, if there was one */
  async call(call: RawCall, role: CallerRole): Promise<ApiResponse | undefined> {
    const answer = await this.sender.send(call).catch((error: unknown) => error as NodeJS.ErrnoException);
    const show = (outcome: string) => `${call.what}, as ${role}: ${shown(call)}\n  → ${outcome}`;
    if (!("status" in answer)) {
      // Node's client refused to send it.
      if (answer.code?.startsWith("ERR_") === true) return undefined;
      this.verdict.called(this.part, true);
      if (call.isCutOff !== true) this.verdict.found(this.part, "silent", call.operation, show(answer.message));
      await this.checkAlive();
      return undefined;
    }
    const isRefused = answer.status >= 400;
    this.verdict.called(this.part, isRefused);
    const summary = `${answer.status} ${JSON.stringify(answer.body).slice(0, shownBody)}`;
    this.note(call.operation, checkAnswer(this.http, call, role, answer), (what) => show(`${what}: ${summary}`));
    if (isRefused) this.remember({ call, role });
    return answer;
  }

  /** Some refused calls of every route and role. */
  get someRefused(): RefusedCall[] {
    return [...this.refused.values()].flat();
  }
  private remember({ call, role }: RefusedCall): void {
    const key = `${call.operation} ${role}`;
    const known = this.refused.get(key) ?? [];
    const size = (call.body?.length ?? 0) + call.target.length;
    if (call.isOffRoute !== true && size < maxRefusedLength && known.length < maxRefused) this.refused.set(key, [...known, { call, role }]);
  }

  note(where: string, problems: readonly AnswerProblem[], show: (what: string) => string): void {
    for (const { fault, what } of problems) this.verdict.found(this.part, fault, where, show(what));
  }

  /** Checks the events that a socket received against the document. */
  checkReceived(event: string, line: TestSocket): void {
    for (const { event: name, data } of line.received) {
      if (name === "disconnect") continue;
      try {
        this.sockets.received(name, data);
      } catch (error) {
        this.verdict.found(this.part, "undocumented", `${name}, received while sending ${event}`, (error as Error).message.slice(0, 700));
      }
    }
  }

  /** @throws Error  the process has ended */
  async checkAlive(): Promise<void> {
    await turn();
    if (this.server.hasEnded()) throw new Error("the server has ended");
  }

  /** Records the store's contents after a successful call. */
  async recordBaseline(): Promise<void> {
    if (this.stored === undefined) return;
    await this.stored.settled();
    this.version = this.stored.version();
    this.baseline = this.stored.state();
  }

  /** Checks after a refused call that the store's contents have not changed. */
  async checkUnchanged(where: string, show: () => string): Promise<void> {
    const { stored, baseline } = this;
    if (stored === undefined || baseline === undefined || stored.version() === this.version) return;
    let rows: string[] = [];
    const isSame = () => (rows = differences(baseline, stored.state())).length === 0;
    await eventually("the store is unchanged", isSame).catch(() => {
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

/** Formats a call so that you can repeat it. */
export function shown({ method, target, headers, body }: RawCall): string {
  const { authorization, cookie, ...others } = headers;
  const text = body === undefined ? "" : ` ${JSON.stringify(body.toString().slice(0, shownBody))}`;
  const credential = String(authorization ?? cookie ?? "").slice(0, 20);
  return `${method} ${target.slice(0, shownBody)} ${JSON.stringify({ ...others, ...(credential === "" ? {} : { credential }) }).slice(0, shownBody)}${text}`;
}
