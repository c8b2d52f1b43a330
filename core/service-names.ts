/** Lists the services from their folders, so that a new service needs no entry anywhere. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The services in a folder. A service is a folder that contains a file of its name: `services/chat/chat.service.ts`. */
export const serviceNamesIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, `${name}.service.ts`)))
    .sort();

/** Sorted. moleculer-runner finds the same files with its mask. */
export const serviceNames = serviceNamesIn(fileURLToPath(new URL("../services/", import.meta.url)));
