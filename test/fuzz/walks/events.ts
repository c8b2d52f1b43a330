/** Every documented socket event, sent wrongly as a user and as the wrong one; handshakes as nobody; and packets no client would send. */
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import { connect, type Ack, type TestSocket, type Person } from "../../support/people/person.ts";
import type { CallerRole } from "../calls/callers.ts";
import { hostileTexts, ofAnyKind } from "../calls/hostile-values.ts";
import { checkAck } from "../checks/answers.ts";
import type { FuzzRound } from "./round.ts";
import { fieldsOf } from "../calls/route-calls.ts";
import { pick, shuffled, invalidPayloads, type RandomSource, type PayloadFields } from "../calls/invalid-payloads.ts";

interface InvalidEmit {
  readonly what: string;
  readonly args: readonly unknown[];
  readonly isSilent?: true;
}

/** After these, when they were taken, what the cast has may have been ended. */
const ending = new Set(["deleteMessage"]);
const actEvery = 25;
/** A name that no event has. */
const unknown = "noSuchEvent";

export async function walkEvents(round: FuzzRound): Promise<void> {
  for (const event of [...round.sockets.clientEvents, unknown]) {
    if (!round.isAsked(event)) continue;
    for (const role of ["user", "wrong user"] as const) await walkEvent(round, event, role);
  }
  if (round.isAsked("handshake")) await tryHandshakes(round);
  if (round.isAsked("packets")) await sendRawPackets(round);
}

async function walkEvent(round: FuzzRound, event: string, role: CallerRole): Promise<void> {
  const { each } = round.settings;
  const schema = event === unknown ? {} : round.sockets.payloadOf(event);
  let cast = await round.currentCallers();
  const personOf = () => (role === "user" ? cast.user : cast.stranger);
  const emitsOf = () => emits(schema, fieldsOf(schema, cast, event), role, each, round.random(event, role));
  const acts = round.random(event, role, "acts");
  let line = await personOf().connectAndSubscribe();
  let list = emitsOf();
  for (let i = 0; i < each; i++) {
    const current = await round.currentCallers();
    if (current !== cast || !line.socket.connected) {
      cast = current;
      line.close();
      line = await personOf().connectAndSubscribe();
      list = emitsOf();
    }
    if (round.stored !== undefined && i % actEvery === actEvery - 1) {
      await cast.changeSomething(acts);
      await round.recordBaseline();
    }
    await emitOne(round, event, role, line, list[i]!, schema);
  }
  hearAll(round, event, line);
  line.close();
}

async function emitOne(
  round: FuzzRound,
  event: string,
  role: CallerRole,
  line: TestSocket,
  { what, args, isSilent }: InvalidEmit,
  schema: JsonSchema,
): Promise<void> {
  const show = (outcome: string) => `${what}, as ${role}: ${event} ${JSON.stringify(args).slice(0, 700)}\n  → ${outcome}`;
  try {
    if (isSilent === true) {
      line.socket.emit(event, ...args);
      await line.call("sync", { since: {} });
      round.verdict.called(round.part, true);
      await round.checkUnchanged(event, () => show("no callback"));
      return;
    }
    const ack: Ack = await line.call(event, ...args);
    round.verdict.called(round.part, !ack.ok);
    const problems = checkAck(round.sockets, event, args[0], role, ack, schema);
    round.note(event, problems, (told) => show(`${told}: ${JSON.stringify(ack).slice(0, 700)}`));
    if (!ack.ok) await round.checkUnchanged(event, () => show("refused"));
    else {
      if (ending.has(event)) round.discardCallers();
      await round.recordBaseline();
    }
  } catch (error) {
    round.verdict.called(round.part, true);
    round.verdict.found(round.part, "silent", event, show((error as Error).message));
    await round.checkAlive();
  }
}

/** What a socket heard must be documented, too. */
function hearAll(round: FuzzRound, event: string, line: TestSocket): void {
  for (const { event: name, data } of line.received) {
    if (name === "disconnect") continue;
    try {
      round.sockets.heard(name, data);
    } catch (error) {
      round.verdict.found(round.part, "undocumented", `${name}, heard while sending ${event}`, (error as Error).message.slice(0, 700));
    }
  }
}

function emits(schema: JsonSchema, right: PayloadFields, role: CallerRole, count: number, chance: RandomSource): InvalidEmit[] {
  const bytes = Buffer.from("bytes");
  const [first = "chatId"] = Object.keys(right);
  const odd: InvalidEmit[] = [
    { what: "nothing", args: [] },
    { what: "what is right", args: [right] },
    { what: "two payloads", args: [right, right] },
    { what: "junk first", args: [null, right] },
    { what: "100 arguments", args: Array.from({ length: 100 }, () => ({})) },
    { what: "bytes", args: [bytes] },
    { what: "bytes in a field", args: [{ ...right, [first]: bytes }] },
    { what: "bytes beside", args: [right, bytes] },
    { what: "bytes in bytes' place", args: [{ ...right, surprise: { deep: [bytes, bytes] } }] },
    { what: "900 KB", args: [{ ...right, [first]: "x".repeat(900_000) }] },
    { what: "900 KB of bytes", args: [{ ...right, [first]: Buffer.alloc(900_000) }] },
    { what: "100,000 keys", args: [Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, 1]))] },
    // What it changes when it is taken would come at any time after.
    ...(role === "user" ? [] : [{ what: "no callback", args: [right], isSilent: true as const }]),
    { what: "junk and no callback", args: [{ $ne: "" }], isSilent: true },
    { what: "nothing and no callback", args: [], isSilent: true },
  ];
  const payloads = invalidPayloads(schema, right, count, chance).map(({ what, value }): InvalidEmit => ({ what, args: [value] }));
  return shuffled(chance, [...odd, ...payloads]).slice(0, count);
}

/** Handshakes that prove nothing. */
async function tryHandshakes(round: FuzzRound): Promise<void> {
  const { user } = await round.currentCallers();
  const chance = round.random("handshake");
  const tokens = shuffled(chance, [...ofAnyKind, ...hostileTexts]).filter(({ value }) => JSON.stringify(value).length < 60_000);
  for (const { what, value } of tokens.slice(0, round.settings.each)) {
    const how = pick(chance, [
      { auth: { token: value } },
      { auth: { token: [user.token, value] } },
      { auth: { Token: user.token, credential: value } },
      { auth: { token: `${user.token}x` } },
      { auth: {}, headers: { cookie: `token=${encodeURIComponent(JSON.stringify(value).toWellFormed()).slice(0, 4000)}` } },
      { auth: { token: user.token }, headers: { origin: "https://evil.example" } },
    ]);
    const shownAs = `${what}: ${JSON.stringify(how).slice(0, 500)}`;
    round.verdict.called(round.part, true);
    try {
      const line = await connect(user.url, how);
      line.close();
      round.verdict.found(round.part, "letIn", "handshake", shownAs);
    } catch (error) {
      const { data, message } = error as Error & { data?: { code?: unknown; message?: unknown } };
      if (typeof data?.code !== "string" || data.message !== message)
        round.verdict.found(round.part, "undocumented", "handshake", `${shownAs}\n  → ${message}`);
      if (data?.code === "INTERNAL") round.verdict.found(round.part, "broken", "handshake", `${shownAs}\n  → ${message}`);
    }
  }
  await round.checkUnchanged("handshake", () => "handshakes that were refused");
  await round.checkAlive();
}

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

/** Packets that no Socket.IO client would send cut at most their own socket. */
async function sendRawPackets(round: FuzzRound): Promise<void> {
  const { user } = await round.currentCallers();
  const bystander = await user.connectAndSubscribe();
  const chance = round.random("packets");
  for (let i = 0; i < round.settings.each; i++) {
    await scribbled(
      user,
      Array.from({ length: 1 + Math.floor(chance() * 4) }, () => pick(chance, packets)),
      chance() < 0.8,
    );
    round.verdict.called(round.part, true);
    const ack = await bystander.call("sync", { since: {} }).catch(() => undefined);
    if (ack === undefined) round.verdict.found(round.part, "silent", "packets", "another socket got no answer");
    await round.checkAlive();
  }
  await round.checkUnchanged("packets", () => "packets that are none");
  hearAll(round, "packets", bystander);
  bystander.close();
}

/** Opens a socket of its own, says who it is if it should, and sends these. */
async function scribbled({ url, token }: Person, list: readonly (string | Uint8Array)[], isSignedIn: boolean): Promise<void> {
  const raw = new WebSocket(`${url.replace("http", "ws")}/chat/socket.io/?EIO=4&transport=websocket`);
  const closed = new Promise((resolve) => raw.addEventListener("close", resolve, { once: true }));
  await new Promise((resolve) => raw.addEventListener("message", resolve, { once: true }));
  if (isSignedIn) raw.send(`40${JSON.stringify({ token })}`);
  for (const packet of list) if (raw.readyState === WebSocket.OPEN) raw.send(packet);
  raw.close();
  await closed;
}
