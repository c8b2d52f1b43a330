/** Runs Parley and bare Socket.IO side by side with the same users in the same groups, and measures windows of load on each. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../test/support/servers/server.ts";
import { capacityOf, commonPace, capacityNote, type Capacity, type Drive } from "../measure/capacity.ts";
import { connectCrowd, makeGroup, seedFolder, sharesOf, type Crowd, type ChatWindow } from "./crowd.ts";
import { pairsOf, type MeasuredPair } from "../measure/measure.ts";
import type { BenchOptions } from "../measure/bench.ts";
import type { Delay } from "./probe.ts";
import { startBaseline, startOurs, type Served } from "./servers.ts";

/** A server with its users connected. */
export interface ComparedServer {
  readonly served: Served;
  readonly drive: Drive<ChatWindow>;
}
export interface ComparedServers {
  readonly ours: ComparedServer;
  readonly bare: ComparedServer;
}
interface CrowdSetting {
  readonly size: number;
  readonly groups: number;
  /** Whether bare Socket.IO stores the messages. */
  readonly isBareStoring: boolean;
}

/** Starts both, connects all users, and stops everything when `act` is done. */
export async function withSides<T>({ size, groups, isBareStoring }: CrowdSetting, act: (sides: ComparedServers) => Promise<T>): Promise<T> {
  const seeded = await seedFolder(size * groups);
  const bareFolder = await temporaryFolder();
  const stops: (() => Promise<unknown>)[] = [];
  const started = <S extends Served | Crowd>(one: S, stop: () => Promise<unknown>): S => {
    stops.unshift(stop);
    return one;
  };
  const serve = async (start: Promise<Served>) => start.then((served) => started(served, served.stop));
  try {
    const ours = await serve(startOurs(seeded));
    const bare = await serve(startBaseline("chat", ...(isBareStoring ? [join(bareFolder, "messages.db")] : [])));
    const members = Array.from({ length: groups }, (_, group) => seeded.people.slice(group * size, (group + 1) * size));
    const chatIds = await Promise.all(members.map(makeGroup));
    const loadClients = members.map((group, i) => group.map(({ token }) => ({ token, chatIds: [chatIds[i]!] })));
    const side = async (served: Served, enter: "subscribe" | "join"): Promise<ComparedServer> => {
      const crowd = await connectCrowd(served, sharesOf(loadClients), enter);
      started(crowd, crowd.leave);
      return { served, drive: (pace, forMs) => crowd.drive({ chatIds, pace, forMs }) };
    };
    return await act({ ours: await side(ours, "subscribe"), bare: await side(bare, "join") });
  } finally {
    for (const stop of stops) await stop();
    await Promise.all([seeded.dataDir, bareFolder].map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

/** A window, and the server's event-loop delay during it. */
export interface MeasuredWindow extends ChatWindow {
  readonly delay: Delay;
}

/** Finds each server's capacity, then measures both at half of the slower one's. */
export async function atCommonPace({ ours, bare }: ComparedServers, name: string, { pairs: count, windowMs, note }: BenchOptions) {
  const capacity: { ours: Capacity; bare: Capacity } = { ours: await capacityOf(ours.drive), bare: await capacityOf(bare.drive) };
  const pace = commonPace(capacity.ours, capacity.bare);
  const window =
    ({ served, drive }: ComparedServer) =>
    async (): Promise<MeasuredWindow> => {
      await served.startDelay();
      const driven = await drive(pace, windowMs);
      return { ...driven, delay: await served.delay() };
    };
  const pairs: MeasuredPair<MeasuredWindow>[] = await pairsOf(count, window(ours), window(bare));
  note(capacityNote("messages", capacity.ours, name, capacity.bare));
  return { capacity, pairs };
}

/** CPU per delivery in microseconds. */
export const cpuADelivery =
  (of: "allMs" | "mainMs") =>
  ({ server, deliveries }: ChatWindow): number =>
    (server[of] * 1000) / deliveries;
