/**
 * Fuzzes an embedded server: makes invalid calls from its own API documents, and checks its answers, its database, its file handles and its
 * memory. Then it fuzzes a second server with rate limits on.
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

/** Calls of each route and event before memory and handles are first measured, so that caches and compiled code are there. */
const warmUp = 20;
const withLimits = 10;
/** Memory by which a process may grow: once for compiled code and caches, and for each call, because calls create users and chats. */
const allowedGrowth = { bytes: 2_000_000, perCall: 500 };

export async function fuzz(settings: FuzzSettings, say: (line: string) => void): Promise<FuzzReport> {
  const verdict = new FuzzReport();
  try {
    await onNewServer({ ...inspectable, KEEP_ALIVE_MS: "1000" }, "routes", verdict, (server) =>
      runMonitored(server, settings, verdict, say),
    );
    say("routes with rate limits on");
    await onNewServer({ LIMITS: "on" }, "limits on", verdict, (server) => runUnmonitored(server, settings, verdict));
  } catch (error) {
    say(`ended early; results so far:\n${verdict.text()}`);
    throw error;
  }
  if (verdict.total === 0) throw new Error(`no route or event has "${settings.only ?? ""}" in its name`);
  return verdict;
}

/** Starts a server, runs `work` on it, and checks how it ends. */
async function onNewServer(
  env: ServerEnv,
  part: FuzzPart,
  verdict: FuzzReport,
  work: (server: EmbeddedServer) => Promise<void>,
): Promise<void> {
  const server = await startEmbedded({ env });
  try {
    await work(server);
  } catch (error) {
    if (!server.hasEnded()) throw error;
  } finally {
    await checkEnd(server, verdict, part);
  }
}

async function runMonitored(
  server: EmbeddedServer,
  settings: FuzzSettings,
  verdict: FuzzReport,
  say: (line: string) => void,
): Promise<void> {
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
    const growth = after.bytes - before.bytes;
    const tooMuch = growth - allowedGrowth.bytes - calls * allowedGrowth.perCall;
    verdict.notes.push(
      `memory after a forced collection: ${mb(before.bytes)} MB, after ${calls} calls ${mb(after.bytes)} MB (${Math.round(growth / calls)} bytes per call)`,
    );
    verdict.notes.push(`file handles: ${before.handles.length}, then ${after.handles.length}`);
    if (tooMuch > 0) verdict.found("routes", "memory", "the process", `${growth} bytes after ${calls} calls`, tooMuch);
    // The image workers, which run for a while, take one handle each.
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

/** With limits on, most calls are rate-limited. Checks only the answers, and that the server stays up. */
async function runUnmonitored(server: EmbeddedServer, settings: FuzzSettings, verdict: FuzzReport): Promise<void> {
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

/** Checks that the server is still running, stops without an error, and has logged none. */
async function checkEnd(server: EmbeddedServer, verdict: FuzzReport, part: FuzzPart): Promise<void> {
  const log = server.log();
  if (server.hasEnded()) verdict.found(part, "crashed", "the process", log.slice(-1000));
  else {
    const { code } = await server.stop();
    if (code !== 0) verdict.found(part, "crashed", "the process, when it was stopped", `exit code ${code}`);
  }
  for (const line of errorsLogged(log)) verdict.found(part, "logged", "the log", line.slice(0, 1000));
}
