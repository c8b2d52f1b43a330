/** Fault: a client stops reading from its socket while its chats are busy. */
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import type { Person } from "../../support/people/person.ts";
import { promises, type MeshFault, type StrikeReport } from "../target/fault.ts";

/** Four times the bytes that a gateway buffers for one socket. */
const floodBytes = 16 * 1024 * 1024;
/** The maximum length of a message. */
const text = "€".repeat(10_000);
const concurrency = 20;
/** Time for the gateway to notice. */
const noticeMs = 3000;

const stopsReading: MeshFault = {
  name: "client-stops-reading",
  what: `a client stops reading while ${floodBytes / 1024 / 1024} MB are sent to it, and then resumes`,
  target: "mesh",
  promiseMs: promises.processMs,
  proxied: 1,
  async strike({ gateways }, { clients }): Promise<StrikeReport> {
    const { name, person, parley, proxy } = clients[0]!;
    const made = factory(() => gateways);
    const [sender] = await made.people(1);
    const states: string[] = [];
    const stopWatching = parley.on("state", ({ state }) => states.push(state));
    try {
      const chatId = await createChat(made, sender, person);
      const from = Date.now();
      proxy!.hold("server");
      await flood(sender, chatId);
      await pause(noticeMs);
      if (states.length > 0) throw new Error("the client disconnected before the gateway could disconnect it");
      await proxy!.mend();
      await eventually("the gateway disconnected the client, and it is online again", () => states.length > 1 && parley.state === "online");
      return { from, cut: [{ name, from, until: Date.now() }] };
    } finally {
      stopWatching();
      made.disconnectAll();
    }
  },
};

async function createChat(made: Factory, sender: Person, receiver: Person): Promise<string> {
  await made.befriend(sender, receiver);
  const { body } = await sender.post("/chat/create-direct", { receiverId: receiver.id });
  return body._id;
}

async function flood(sender: Person, chatId: string): Promise<void> {
  const socket = await sender.connect();
  const count = Math.ceil(floodBytes / Buffer.byteLength(text));
  for (let sent = 0; sent < count; sent += concurrency) {
    await Promise.all(Array.from({ length: concurrency }, () => socket.callOrThrow("sendMessage", { chatId, text })));
  }
}

export const clients: readonly MeshFault[] = [stopsReading];
