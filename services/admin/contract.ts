/** What admin offers to operators, in the REPL: the dead letters of durable events. */
import { contract, returns } from "../../core/contract/contract.ts";
import type { DeadLetter } from "../../core/queue/queue.ts";

const group = { type: "string", min: 1, max: 64 } as const;

export const admin = contract("admin", {
  deadLetters: {
    summary: "The newest events that a consumer group gave up on",
    access: "service",
    params: { group, limit: { type: "number", integer: true, min: 1, max: 200, default: 50 } },
    result: returns<DeadLetter[]>(),
  },
  replay: {
    summary: "Hand a group its dead letters again, all or one; answers how many",
    access: "service",
    params: { group, eventId: { type: "string", max: 64, optional: true } },
    result: returns<number>(),
  },
});
