/** Declares the actions that operators call in the REPL: listing and replaying dead letters. */
import { contract, returns } from "../../core/contract/contract.ts";
import type { DeadLetter } from "../../core/queue/queue.ts";

const group = { type: "string", min: 1, max: 64 } as const;

export const admin = contract("admin", {
  deadLetters: {
    summary: "The newest dead letters of a consumer group",
    access: "service",
    params: { group, limit: { type: "number", integer: true, min: 1, max: 200, default: 50 } },
    result: returns<DeadLetter[]>(),
  },
  replay: {
    summary: "Deliver dead letters to their group again, all or one; returns how many",
    access: "service",
    params: { group, eventId: { type: "string", max: 64, optional: true } },
    result: returns<number>(),
  },
});
