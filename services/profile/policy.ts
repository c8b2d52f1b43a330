/** Who may see how much of a profile. */
import type { Relation } from "../request/contract.ts";

/** Contacts see it whole; strangers, also those of whom one blocked the other, see the summary. */
export const canSeeWholeProfile = ({ state }: Relation): boolean => state === "accepted";
