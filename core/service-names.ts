/** The services that this server has, read from their files, so that a new one needs no entry in any list. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A service is a folder with a file of its name: `services/chat/chat.service.ts`. */
export const serviceNamesIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, `${name}.service.ts`)))
    .sort();

/** Sorted. moleculer-runner finds the same files by its mask. */
export const serviceNames = serviceNamesIn(fileURLToPath(new URL("../services/", import.meta.url)));
