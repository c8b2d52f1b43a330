/** Checks the stored data in either mode: whether this release can run on it, and the age of the last backup. */
import { StartError } from "../../core/errors.ts";
import { facts, installationService, reasonNotToRun, type FactsRow } from "../../core/node/installation.ts";
import { assertSchemaSupported, schemaId, schemas, type SchemaRow } from "../../core/store/migrations.ts";
import { accounts } from "../../services/auth/accounts.repository.ts";
import { allServiceData } from "../operator/service-data.ts";
import { fine, todo, type Finding } from "./check.ts";

/** Reads single rows of the services' data; undefined if the row or its database does not exist. */
export interface RowReader {
  get(service: string, collection: string, id: string): Promise<Record<string, unknown> | undefined>;
  /** Returns the first id in ascending order. */
  firstId(service: string, collection: string): Promise<string | undefined>;
}

const oldestBackupMs = 26 * 60 * 60_000;
const hours = (ms: number): string => `${Math.round(ms / 3_600_000)} hours`;

let loading: ReturnType<typeof allServiceData> | undefined;
/** Loads what the services declare. Call it before anything is timed: importing the services takes most of the time. */
export const loadDeclared = (): ReturnType<typeof allServiceData> => (loading ??= allServiceData());

export async function schemaFindings(rows: RowReader): Promise<Finding[]> {
  const findings: Finding[] = [];
  let waiting = 0;
  for (const { service, schema, migrations } of await loadDeclared()) {
    const row = (await rows.get(service, schemas.name, schemaId)) as SchemaRow | undefined;
    if (row === undefined) continue;
    try {
      assertSchemaSupported(service, row, migrations);
      if (row.version < schema) waiting++;
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      findings.push(todo(error.message));
    }
  }
  if (findings.length > 0) return findings;
  return [fine(waiting === 0 ? "this release can run on it" : `${waiting} services will be migrated when this release starts`)];
}

export async function backupFinding(rows: RowReader): Promise<Finding> {
  const row = (await rows.get(installationService, facts.name, "installation")) as FactsRow | undefined;
  const reason = row === undefined ? undefined : reasonNotToRun(row);
  if (reason !== undefined) return todo(reason);
  const { lastBackupAt } = row ?? {};
  if (lastBackupAt != null) {
    const age = Date.now() - lastBackupAt;
    return age <= oldestBackupMs
      ? fine(`the last one is ${hours(age)} old`)
      : todo(`the last one is ${hours(age)} old: run npm run backup every day`);
  }
  const first = await rows.firstId("auth", accounts.name);
  const sinceMs = first === undefined ? 0 : Date.now() - parseInt(first.slice(0, 8), 16) * 1000;
  return sinceMs <= oldestBackupMs
    ? fine("none yet, and no data older than a day")
    : todo(`none was ever made, and there is data ${hours(sinceMs)} old: run npm run backup`);
}
