/** The embedded mode's own secret: made once, kept in the data folder, readable by its owner alone. */
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../errors.ts";
import { dataFiles } from "./data-files.ts";

const minCharacters = 32;

/**
 * The secret of this data folder. The folder is held by this process already, so nobody else makes one meanwhile.
 * @throws StartError  the file holds too little
 */
export function loadOrCreateSecret(folder: string): string {
  const file = join(folder, dataFiles.secret);
  const secret = readSecret(file) ?? createSecret(file);
  if (secret.length < minCharacters) throw new StartError(`${file} holds no secret of at least ${minCharacters} characters; remove it`);
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
  // Renamed when it is on disk: a power cut leaves the whole of it or none.
  writeFileSync(`${file}.new`, secret, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return secret;
}
