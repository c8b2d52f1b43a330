/**
 * Makes the secret that signs access tokens in embedded mode, once, and keeps it in the data folder, readable by its owner only. Used if
 * JWT_SECRET is not set.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../errors.ts";
import { dataFiles } from "./data-files.ts";
import { minSecretLength } from "./parsers.ts";

/**
 * The secret of this data folder. This process has already locked the folder, so no other process can create a secret meanwhile.
 * @throws StartError  the file's text is too short
 */
export function loadOrCreateSecret(folder: string): string {
  const file = join(folder, dataFiles.secret);
  const secret = readSecret(file) ?? createSecret(file);
  if (secret.length < minSecretLength) {
    throw new StartError(
      `${file} doesn't contain a secret of at least ${minSecretLength} characters. Remove it to get a new secret, which logs all users out`,
    );
  }
  return secret;
}

function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function createSecret(file: string): string {
  const secret = randomBytes(32).toString("base64url");
  // Renamed once it is on disk: a power failure leaves the whole secret or none.
  writeFileSync(`${file}.new`, secret, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return secret;
}
