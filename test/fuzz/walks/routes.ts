/** Makes invalid calls of every documented route in every role, one after the other, with valid changes in between. */
import { callerRoles, type CallerRole } from "../calls/callers.ts";
import { routeCalls } from "../calls/route-calls.ts";
import type { FuzzRound } from "./round.ts";
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";

const changeEvery = 25;

/** Routes that remove nothing that other calls need. After a successful call of any other route, the callers are created again. */
const harmless = new Set([
  "POST /auth/signup",
  "POST /auth/login",
  "PUT /profile/patchProfile",
  "POST /chat/create-direct",
  "POST /chat/create-group",
  "PATCH /chat/groups/{chatId}",
  "PATCH /chat/settings/{chatId}",
  "POST /chat/messages",
  "PATCH /chat/messages/{messageId}",
  "PUT /chat/messages/{messageId}/reactions/{emoji}",
  "DELETE /chat/messages/{messageId}/reactions/{emoji}",
  "POST /chat/read",
  "POST /chat/sync",
  "POST /chat/send-file",
]);

export async function walkRoutes(round: FuzzRound): Promise<void> {
  for (const [name, operation] of round.http.operations) {
    if (!round.isSelected(name)) continue;
    for (const role of callerRoles) await walkRoute(round, name, operation, role);
  }
}

async function walkRoute(round: FuzzRound, name: string, operation: OpenApiOperation, role: CallerRole): Promise<void> {
  const { each } = round.settings;
  let callers = await round.currentCallers();
  const callsOf = () => routeCalls(name, operation, callers, role, each, round.random(name, role));
  const random = round.random(name, role, "changes");
  let calls = callsOf();
  for (let i = 0; i < each; i++) {
    const current = await round.currentCallers();
    if (current !== callers) {
      callers = current;
      calls = callsOf();
    }
    if (round.stored !== undefined && i % changeEvery === changeEvery - 1) {
      await callers.changeSomething(random);
      await round.recordBaseline();
    }
    const call = calls[i]!;
    const answer = await round.call(call, role);
    const isSuccess = answer !== undefined && answer.status < 400;
    if (!isSuccess) await round.checkUnchanged(name, () => `${call.what}, as ${role}: ${call.method} ${call.target}`);
    else if (call.method !== "GET" && call.method !== "HEAD" && call.method !== "OPTIONS") {
      if (!harmless.has(name) || call.isOffRoute === true) round.discardCallers();
      await round.recordBaseline();
    }
  }
}
