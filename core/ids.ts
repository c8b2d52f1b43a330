/** Creates ids of 24 hex digits. The program creates them itself, so that all stores and all clients use one form. */
import { randomBytes } from "node:crypto";

const pattern = /^[0-9a-f]{24}$/;
const processPart = randomBytes(5).toString("hex");
let counter = randomBytes(3).readUIntBE(0, 3);

/** A new id in the layout of MongoDB's ObjectId: 4 bytes of seconds, 5 random bytes of this process, 3 bytes of a counter. */
export function newId(): string {
  counter = (counter + 1) & 0xffffff;
  const seconds = Math.floor(Date.now() / 1000);
  return seconds.toString(16).padStart(8, "0") + processPart + counter.toString(16).padStart(6, "0");
}

/** The time when an id was created, epoch milliseconds by its creator's clock, rounded down to a second. */
export const timeOfId = (id: string): number => parseInt(id.slice(0, 8), 16) * 1000;

export const isId = (value: unknown): value is string => typeof value === "string" && pattern.test(value);
