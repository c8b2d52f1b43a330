/** Hashes and checks passwords with bcrypt, on libuv's threads and not on the event loop. */
import bcrypt from "bcrypt";

/** A hash that no password has. Checked for unknown addresses, so that they take as long as a wrong password. */
const decoyHash = (cost: number): string => `$2b$${String(cost).padStart(2, "0")}$${".".repeat(53)}`;

/**
 * @param password  at most 72 bytes: bcrypt ignores the rest
 * @param cost      bcrypt's cost factor: each step doubles the work
 */
export const hashPassword = (password: string, cost: number): Promise<string> => bcrypt.hash(password, cost);

/**
 * Whether the password matches the hash. Takes as long without a hash.
 * @param cost  cost factor of new hashes
 */
export async function isPassword(password: string, hash: string | undefined, cost: number): Promise<boolean> {
  const isSame = await bcrypt.compare(password, hash ?? decoyHash(cost));
  return isSame && hash !== undefined;
}
