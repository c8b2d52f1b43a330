/** Reads what all services declare. Imports their modules and starts nothing. */
import { readdir } from "node:fs/promises";
import type { ServiceSchema } from "moleculer";
import { serviceDataOf, type ServiceData } from "../../core/backup/service-data.ts";

const services = new URL("../../services/", import.meta.url);

export async function allSchemas(): Promise<ServiceSchema[]> {
  const files = (await readdir(services, { recursive: true })).filter((file) => file.endsWith(".service.ts")).sort();
  return Promise.all(files.map(async (file) => ((await import(new URL(file, services).href)) as { default: ServiceSchema }).default));
}

/** Returns what the services declare about their stores. */
export const allServiceData = async (): Promise<ServiceData[]> =>
  (await allSchemas()).map(serviceDataOf).filter((declared) => declared !== undefined);
