/** Sends every documented socket event with invalid payloads, as the owner and as a stranger. */
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import type { Ack, TestSocket } from "../../support/people/person.ts";
import type { CallerRole } from "../calls/callers.ts";
import { checkAck } from "../checks/answers.ts";
import { tryHandshakes } from "./handshakes.ts";
import { sendRawPackets } from "./packets.ts";
import type { FuzzRound } from "./round.ts";
import { fieldsOf } from "../calls/route-calls.ts";
import { shuffled, invalidPayloads, type RandomSource, type PayloadFields } from "../calls/invalid-payloads.ts";

interface InvalidEmit {
  readonly what: string;
  readonly args: readonly unknown[];
  readonly isSilent?: true;
}

/** Events that remove something that other calls need. After a successful one, the callers are created again. */
const removing = new Set(["deleteMessage"]);
const changeEvery = 25;
const unknownEvent = "noSuchEvent";

export async function walkEvents(round: FuzzRound): Promise<void> {
  for (const event of [...round.sockets.clientEvents, unknownEvent]) {
    if (!round.isSelected(event)) continue;
    for (const role of ["user", "wrong user"] as const) await walkEvent(round, event, role);
  }
  if (round.isSelected("handshake")) await tryHandshakes(round);
  if (round.isSelected("packets")) await sendRawPackets(round);
}

async function walkEvent(round: FuzzRound, event: string, role: CallerRole): Promise<void> {
  const { each } = round.settings;
  const schema = event === unknownEvent ? {} : round.sockets.payloadOf(event);
  let callers = await round.currentCallers();
  const personOf = () => (role === "user" ? callers.user : callers.stranger);
  const emitsOf = () => emits(schema, fieldsOf(schema, callers, event), role, each, round.random(event, role));
  const acts = round.random(event, role, "changes");
  let line = await personOf().connectAndSubscribe();
  let list = emitsOf();
  for (let i = 0; i < each; i++) {
    const current = await round.currentCallers();
    if (current !== callers || !line.socket.connected) {
      callers = current;
      line.close();
      line = await personOf().connectAndSubscribe();
      list = emitsOf();
    }
    if (round.stored !== undefined && i % changeEvery === changeEvery - 1) {
      await callers.changeSomething(acts);
      await round.recordBaseline();
    }
    await emitOne(round, event, role, line, list[i]!, schema);
  }
  round.checkReceived(event, line);
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
    round.note(event, problems, (problem) => show(`${problem}: ${JSON.stringify(ack).slice(0, 700)}`));
    if (!ack.ok) await round.checkUnchanged(event, () => show("refused"));
    else {
      if (removing.has(event)) round.discardCallers();
      await round.recordBaseline();
    }
  } catch (error) {
    round.verdict.called(round.part, true);
    round.verdict.found(round.part, "silent", event, show((error as Error).message));
    await round.checkAlive();
  }
}

function emits(schema: JsonSchema, right: PayloadFields, role: CallerRole, count: number, random: RandomSource): InvalidEmit[] {
  const bytes = Buffer.from("bytes");
  const [first = "chatId"] = Object.keys(right);
  const odd: InvalidEmit[] = [
    { what: "nothing", args: [] },
    { what: "a valid payload", args: [right] },
    { what: "two payloads", args: [right, right] },
    { what: "junk first", args: [null, right] },
    { what: "100 arguments", args: Array.from({ length: 100 }, () => ({})) },
    { what: "bytes", args: [bytes] },
    { what: "bytes in a field", args: [{ ...right, [first]: bytes }] },
    { what: "additional bytes", args: [right, bytes] },
    { what: "nested bytes", args: [{ ...right, surprise: { deep: [bytes, bytes] } }] },
    { what: "900 KB", args: [{ ...right, [first]: "x".repeat(900_000) }] },
    { what: "900 KB of bytes", args: [{ ...right, [first]: Buffer.alloc(900_000) }] },
    { what: "100,000 keys", args: [Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, 1]))] },
    // Not as the owner: a valid event without a callback would succeed, and change the store at any later time.
    ...(role === "user" ? [] : [{ what: "no callback", args: [right], isSilent: true as const }]),
    { what: "junk and no callback", args: [{ $ne: "" }], isSilent: true },
    { what: "nothing and no callback", args: [], isSilent: true },
  ];
  const payloads = invalidPayloads(schema, right, count, random).map(({ what, value }): InvalidEmit => ({ what, args: [value] }));
  return shuffled(random, [...odd, ...payloads]).slice(0, count);
}
