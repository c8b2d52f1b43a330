/** Decides how much of a profile a user may see. */
import type { Relation } from "../request/contract.ts";

/** Contacts see the whole profile. All others, and users who blocked each other, see the summary. */
export const canSeeWholeProfile = ({ state }: Relation): boolean => state === "accepted";
