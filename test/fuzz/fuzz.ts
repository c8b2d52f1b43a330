/**
 * The whole of it: an embedded server called wrongly in every way its own documents give rise to, watched for what it answers, stores
 * and keeps; then another one whose rate limits are on.
 */
import { DocumentedHttp, DocumentedSockets } from "../support/api/documented.ts";
import { eventually } from "../support/eventually.ts";
import { factory } from "../support/people/factory.ts";
import { childrenOf } from "../support/memory.ts";
import { requestJson } from "../support/people/person.ts";
import { startEmbedded, type ServerEnv, type EmbeddedServer } from "../support/servers/server.ts";
import { bursts } from "./walks/bursts.ts";
import { FuzzRound, type FuzzRoundOptions, type FuzzSettings } from "./walks/round.ts";
import { StoreInspector } from "./checks/stored-data.ts";
import { FuzzReport, type FuzzPart } from "./checks/report.ts";
import { walkEvents } from "./walks/events.ts";
import { walkRoutes } from "./walks/routes.ts";
import { connectionsOf, errorsLogged, handlesOf, ProcessInspector, inspectable } from "./checks/process.ts";

/** Fewer calls of each go first, so that what is loaded or made once is there before anything is measured. */
const warmUp = 20;
const withLimits = 10;
/** What a process may take more: compiled code and caches once, and of each call, for people and chats that are made stay. */
const mayKeep = { bytes: 2_000_000, ofEachCall: 500 };

export async function fuzz(settings: FuzzSettings, say: (line: string) => void): Promise<FuzzReport> {
  const verdict = new FuzzReport();
  try {
    await on({ ...inspectable, KEEP_ALIVE_MS: "1000" }, "routes", verdict, (server) => watched(server, settings, verdict, say));
    say("routes with rate limits on");
    await on({ LIMITS: "on" }, "limits on", verdict, (server) => unwatched(server, settings, verdict));
  } catch (error) {
    say(`ended early; until then:\n${verdict.text()}`);
    throw error;
  }
  if (verdict.total === 0) throw new Error(`no route and no event is named like "${settings.only ?? ""}"`);
  return verdict;
}

/** Does this to a server of its own, and looks how it ended. */
async function on(env: ServerEnv, part: FuzzPart, verdict: FuzzReport, work: (server: EmbeddedServer) => Promise<void>): Promise<void> {
  const server = await startEmbedded({ env });
  try {
    await work(server);
  } catch (error) {
    if (!server.hasEnded()) throw error;
  } finally {
    await ended(server, verdict, part);
  }
}

async function watched(server: EmbeddedServer, settings: FuzzSettings, verdict: FuzzReport, say: (line: string) => void): Promise<void> {
  const inspector = await ProcessInspector.of(server);
  const stored = new StoreInspector(server.dataDir);
  try {
    const quiet = async () => {
      await eventually("all connections are closed", () => connectionsOf(server) === 0, 60_000);
      return { bytes: await inspector.bytes(), handles: handlesOf(server), children: childrenOf(server.pid).length, calls: verdict.total };
    };
    await walk(server, { ...settings, each: Math.min(settings.each, warmUp) }, verdict, stored, say);
    const before = await quiet();
    await walk(server, settings, verdict, stored, say);
    const after = await quiet();
    const calls = after.calls - before.calls;
    const kept = after.bytes - before.bytes;
    const tooMuch = kept - mayKeep.bytes - calls * mayKeep.ofEachCall;
    verdict.notes.push(
      `memory after a forced collection: ${mb(before.bytes)} MB, after ${calls} calls ${mb(after.bytes)} MB (${Math.round(kept / calls)} bytes a call)`,
    );
    verdict.notes.push(`file handles: ${before.handles.length}, then ${after.handles.length}`);
    if (tooMuch > 0) verdict.found("routes", "memory", "the process", `${kept} bytes after ${calls} calls`, tooMuch);
    // Each of the processes for images, which stay a while, is held by one.
    const more = after.handles.length - before.handles.length - (after.children - before.children);
    if (more > 0) verdict.found("routes", "handles", "the process", newHandles(before.handles, after.handles).join(", "), more);
  } finally {
    stored.close();
    inspector.close();
  }
}

const mb = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
const newHandles = (before: readonly string[], after: readonly string[]): string[] => after.filter((one) => !before.includes(one));

async function walk(
  server: EmbeddedServer,
  settings: FuzzSettings,
  verdict: FuzzReport,
  stored: StoreInspector | undefined,
  say: (line: string) => void,
): Promise<void> {
  const world = factory(() => [server.url]);
  const base: FuzzRoundOptions = { settings, verdict, server, world, stored, ...(await documents(server)) };
  const rounds = (["routes", "events", "bursts"] as const).map((part) => new FuzzRound(part, base));
  const [routes, events, burst] = rounds as [FuzzRound, FuzzRound, FuzzRound];
  try {
    say(`routes, ${settings.each} each in 3 roles`);
    await walkRoutes(routes);
    say(`events, ${settings.each} each in 2 roles`);
    await walkEvents(events);
    const refused = routes.someRefused;
    say(`bursts, ${refused.length} calls in all`);
    await bursts(burst, refused);
  } finally {
    for (const round of rounds) round.close();
    world.disconnectAll();
  }
}

/** With limits most calls are one too many: their answers count, and that the server lives. */
async function unwatched(server: EmbeddedServer, settings: FuzzSettings, verdict: FuzzReport): Promise<void> {
  const world = factory(() => [server.url]);
  const few = { ...settings, each: Math.min(settings.each, withLimits) };
  const round = new FuzzRound("limits on", { settings: few, verdict, server, world, stored: undefined, ...(await documents(server)) });
  try {
    await walkRoutes(round);
  } finally {
    round.close();
    world.disconnectAll();
  }
}

async function documents({ url }: EmbeddedServer): Promise<Pick<FuzzRoundOptions, "http" | "sockets">> {
  const [http, sockets] = await Promise.all(["/openapi.json", "/asyncapi.json"].map((path) => requestJson(url, "GET", path)));
  return { http: new DocumentedHttp(http!.body), sockets: new DocumentedSockets(sockets!.body) };
}

/** Whether it lived to the end, ends as it should, and logged no error. */
async function ended(server: EmbeddedServer, verdict: FuzzReport, part: FuzzPart): Promise<void> {
  const log = server.log();
  if (server.hasEnded()) verdict.found(part, "crashed", "the process", log.slice(-1000));
  else {
    const { code } = await server.stop();
    if (code !== 0) verdict.found(part, "crashed", "the process, as it was stopped", `exit code ${code}`);
  }
  for (const line of errorsLogged(log)) verdict.found(part, "logged", "the log", line.slice(0, 1000));
}
