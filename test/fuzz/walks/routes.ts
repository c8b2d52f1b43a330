/** Every documented route, called wrongly in every role, one call after the other, with right ones in between. */
import { callerRoles, type CallerRole } from "../calls/callers.ts";
import { routeCalls } from "../calls/route-calls.ts";
import type { FuzzRound } from "./round.ts";
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";

const actEvery = 25;

/** What only adds, or changes what is not called about. After any other call that was taken the cast is made anew. */
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
    if (!round.isAsked(name)) continue;
    for (const role of callerRoles) await walkRoute(round, name, operation, role);
  }
}

async function walkRoute(round: FuzzRound, name: string, operation: OpenApiOperation, role: CallerRole): Promise<void> {
  const { each } = round.settings;
  let cast = await round.currentCallers();
  const callsOf = () => routeCalls(name, operation, cast, role, each, round.random(name, role));
  const chance = round.random(name, role, "acts");
  let calls = callsOf();
  for (let i = 0; i < each; i++) {
    const current = await round.currentCallers();
    if (current !== cast) {
      cast = current;
      calls = callsOf();
    }
    if (round.stored !== undefined && i % actEvery === actEvery - 1) {
      await cast.changeSomething(chance);
      await round.recordBaseline();
    }
    const call = calls[i]!;
    const answer = await round.call(call, role);
    const isTaken = answer !== undefined && answer.status < 400;
    if (!isTaken) await round.checkUnchanged(name, () => `${call.what}, as ${role}: ${call.method} ${call.target}`);
    else if (call.method !== "GET" && call.method !== "HEAD" && call.method !== "OPTIONS") {
      if (!harmless.has(name) || call.isBeside === true) round.discardCallers();
      await round.recordBaseline();
    }
  }
}
