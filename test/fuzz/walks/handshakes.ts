/** Tries Socket.IO handshakes without a valid credential. */
import { connect } from "../../support/people/person.ts";
import { hostileTexts, wrongKinds } from "../calls/hostile-values.ts";
import { pick, shuffled } from "../calls/invalid-payloads.ts";
import type { FuzzRound } from "./round.ts";

/** Expects every handshake to be refused with a documented error. */
export async function tryHandshakes(round: FuzzRound): Promise<void> {
  const { user } = await round.currentCallers();
  const random = round.random("handshake");
  const tokens = shuffled(random, [...wrongKinds, ...hostileTexts]).filter(({ value }) => JSON.stringify(value).length < 60_000);
  for (const { what, value } of tokens.slice(0, round.settings.each)) {
    const how = pick(random, [
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
  await round.checkUnchanged("handshake", () => "refused handshakes");
  await round.checkAlive();
}
