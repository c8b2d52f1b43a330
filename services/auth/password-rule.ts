/**
 * Limits passwords to what bcrypt reads. It is not in `passwords.ts`, because the gateway imports auth's contract and must not load bcrypt.
 */
import type { CustomCheck } from "../../core/contract/schema.ts";

/** Refuses a password of more than 72 bytes in UTF-8: bcrypt ignores the rest. */
export const atMost72Bytes: CustomCheck = (value, errors) => {
  if (typeof value === "string" && Buffer.byteLength(value) > 72)
    errors.push({ type: "passwordBytes", message: "must be at most 72 bytes" });
  return value;
};
