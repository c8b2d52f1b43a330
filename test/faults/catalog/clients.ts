/** A client that stops reading what it is sent, while much is said in its chats. */
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { promises, type MeshFault, type StrikeReport } from "../target/fault.ts";

/** Four times what a gateway keeps for one socket. */
const floodBytes = 16 * 1024 * 1024;
/** As long as a message may be. */
const text = "€".repeat(10_000);
const atOnce = 20;
/** For the gateway to notice. */
const noticedMs = 3000;

const stopsReading: MeshFault = {
  name: "client-stops-reading",
  what: `a client stops reading while ${floodBytes / 1024 / 1024} MB are sent to it beside its chats, and then reads on`,
  world: "mesh",
  promiseMs: promises.processMs,
  proxied: 1,
  async strike({ gateways }, { clients: dwellers }): Promise<StrikeReport> {
    const { name, person, parley, proxy } = dwellers[0]!;
    const made = factory(() => gateways);
    const [talker] = await made.people(1);
    const states: string[] = [];
    const stopWatching = parley.on("state", ({ state }) => states.push(state));
    try {
      const chatId = await chatOf(made, talker, person);
      const from = Date.now();
      proxy!.hold("server");
      await flood(talker, chatId);
      await pause(noticedMs);
      if (states.length > 0) throw new Error("the client gave up before the gateway could");
      await proxy!.mend();
      await eventually("the gateway had cut who did not read, and they are back", () => states.length > 1 && parley.state === "online");
      return { from, cut: [{ name, from, until: Date.now() }] };
    } finally {
      stopWatching();
      made.disconnectAll();
    }
  },
};

async function chatOf(made: Factory, talker: Person, listener: Person): Promise<string> {
  await made.befriend(talker, listener);
  const { body } = await talker.post("/chat/create-direct", { receiverId: listener.id });
  return body._id;
}

async function flood(talker: Person, chatId: string): Promise<void> {
  const line = await talker.connect();
  const count = Math.ceil(floodBytes / Buffer.byteLength(text));
  for (let sent = 0; sent < count; sent += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => line.callOrThrow("sendMessage", { chatId, text })));
  }
}

export const clients: readonly MeshFault[] = [stopsReading];
