/** Passwords: bcrypt on libuv's threads, off the event loop. */
import bcrypt from "bcrypt";

/** What an unknown address is compared with, so that it takes as long to refuse as a wrong password. No password has this hash. */
const decoyHash = (cost: number): string => `$2b$${String(cost).padStart(2, "0")}$${".".repeat(53)}`;

/**
 * @param password  at most 72 bytes: bcrypt ignores what comes after
 * @param cost      bcrypt's cost factor: each step more doubles the work
 */
export const hashPassword = (password: string, cost: number): Promise<string> => bcrypt.hash(password, cost);

/**
 * Whether this is the password; takes its time also when there is no hash.
 * @param cost  of the hashes that are made now
 */
export async function isPassword(password: string, hash: string | undefined, cost: number): Promise<boolean> {
  const isSame = await bcrypt.compare(password, hash ?? decoyHash(cost));
  return isSame && hash !== undefined;
}
