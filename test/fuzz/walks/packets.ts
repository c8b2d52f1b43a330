/** Sends packets that no Socket.IO client would send, over bare WebSockets. */
import type { Person } from "../../support/people/person.ts";
import { pick } from "../calls/invalid-payloads.ts";
import type { FuzzRound } from "./round.ts";

const packets: readonly (string | Uint8Array)[] = [
  ...[
    "42",
    "42[",
    '42["sendMessage"',
    "42{}",
    "42[7]",
    "42[null]",
    "42[[]]",
    '42["joinChat",{"__proto__":{}}]',
    "43[]",
    "431[{}]",
    "451-",
    "459999999-[]",
    "45-1-[]",
  ],
  ...[
    '451-["sync",{"_placeholder":true,"num":9}]',
    '451-["sync",{"_placeholder":true,"num":"x"}]',
    "9",
    "\u0000",
    "",
    "2probe",
    "3",
    "5",
    "6",
    "1",
    "0{}",
    "40",
    "40/",
    "41",
    "44{}",
  ],
  ...[
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "error",
    "__proto__",
    "constructor",
    "toString",
    "",
  ].map((event) => `42${JSON.stringify([event, { chatId: "0123456789abcdef01234567" }])}`),
  ...[
    "40/admin,{}",
    '40/__proto__,{"token":"x"}',
    "40//,",
    `42${"[".repeat(100_000)}`,
    `42/x,["sync"]`,
    '4299999999999999999999["sync",{}]',
    '42-1["sync",{}]',
    "x".repeat(1000),
  ],
  new Uint8Array(0),
  new Uint8Array([1, 2, 3]),
  new Uint8Array(100_000),
];

/** Sends malformed packets. They may close their own socket, but no other one. */
export async function sendRawPackets(round: FuzzRound): Promise<void> {
  const { user } = await round.currentCallers();
  const bystander = await user.connectAndSubscribe();
  const random = round.random("packets");
  for (let i = 0; i < round.settings.each; i++) {
    await sendPackets(
      user,
      Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(random, packets)),
      random() < 0.8,
    );
    round.verdict.called(round.part, true);
    const ack = await bystander.call("sync", { since: {} }).catch(() => undefined);
    if (ack === undefined) round.verdict.found(round.part, "silent", "packets", "another socket got no answer");
    await round.checkAlive();
  }
  await round.checkUnchanged("packets", () => "malformed packets");
  round.checkReceived("packets", bystander);
  bystander.close();
}

/** Opens a WebSocket, authenticates if asked to, and sends the packets. */
async function sendPackets({ url, token }: Person, list: readonly (string | Uint8Array)[], isAuthenticated: boolean): Promise<void> {
  const raw = new WebSocket(`${url.replace("http", "ws")}/chat/socket.io/?EIO=4&transport=websocket`);
  const closed = new Promise((resolve) => raw.addEventListener("close", resolve, { once: true }));
  await new Promise((resolve) => raw.addEventListener("message", resolve, { once: true }));
  if (isAuthenticated) raw.send(`40${JSON.stringify({ token })}`);
  for (const packet of list) if (raw.readyState === WebSocket.OPEN) raw.send(packet);
  raw.close();
  await closed;
}
