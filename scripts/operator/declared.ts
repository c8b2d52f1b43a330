/** What all services declare of their stores: their modules are imported, and nothing is started. */
import { readdir } from "node:fs/promises";
import { declaredBy, type Declared } from "../../core/backup/declared.ts";

const services = new URL("../../services/", import.meta.url);

export async function declaredByAll(): Promise<Declared[]> {
  const files = (await readdir(services, { recursive: true })).filter((file) => file.endsWith(".service.ts")).sort();
  const schemas = await Promise.all(
    files.map(async (file) => ((await import(new URL(file, services).href)) as { default: object }).default),
  );
  return schemas.map(declaredBy).filter((declared) => declared !== undefined);
}
