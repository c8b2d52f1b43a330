/** The embedded mode's own secret: made once, kept in the data folder, readable by its owner alone. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The secret of this data folder. The folder is held by this process already, so nobody else makes one meanwhile. */
export function ownSecret(folder: string): string {
  const file = join(folder, "jwt-secret");
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const secret = randomBytes(32).toString("base64url");
    writeFileSync(file, secret, { mode: 0o600, flag: "wx", flush: true });
    return secret;
  }
}
