/** Passwords: bcrypt on libuv's threads, off the event loop. */
import bcrypt from "bcrypt";

const cost = 10;

/** What an unknown address is compared with, so that it takes as long to refuse as a wrong password. No password has this hash. */
const decoy = `$2b$${cost}$${".".repeat(53)}`;

/** @param password  at most 72 bytes: bcrypt ignores what comes after */
export const hashPassword = (password: string): Promise<string> => bcrypt.hash(password, cost);

/** Whether this is the password; takes its time also when there is no hash. */
export async function isPassword(password: string, hash: string | undefined): Promise<boolean> {
  const isSame = await bcrypt.compare(password, hash ?? decoy);
  return isSame && hash !== undefined;
}
