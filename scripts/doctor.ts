/**
 * `npm run doctor`: prints one line for each requirement of an installation: `ok`, or what to do about it. Exits with 1 if anything is left
 * to do. It reads a node's environment and changes nothing. `npm run doctor -- --url https://chat.example.org` checks a running
 * installation from outside, as clients see it. To add a check, add a row to one of the lists in `scripts/doctor/`.
 */
import { parseArgs } from "node:util";
import { linesOf, linesOfConnection, reasonOf, withoutSecrets, type ReportLine } from "./doctor/check.ts";
import { configuration, configuredChecks, secretsOf } from "./doctor/configuration.ts";
import { loadDeclared } from "./doctor/data.ts";
import { embeddedChecks } from "./doctor/embedded.ts";
import { machineChecks } from "./doctor/machine.ts";
import { linesOfMesh } from "./doctor/mesh/mesh.ts";
import { remotePart } from "./doctor/remote.ts";

const usage = "Usage: npm run doctor [-- --url https://chat.example.org]";

function urlGiven(): string | undefined {
  const { url } = parseArgs({ options: { url: { type: "string" } } }).values;
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) throw new Error(`--url ${url} is not an http or https URL`);
  return url?.replace(/\/+$/, "");
}

/** Checks the environment and everything a node would find at start. */
async function linesHere(): Promise<{ lines: readonly ReportLine[]; secrets: readonly string[] }> {
  const { env } = process;
  const { config, findings } = configuration(env);
  const secrets = secretsOf(env, config);
  const machine = linesOf(machineChecks, undefined);
  const configured = findings.map((finding) => ({ name: "Configuration", ...finding }));
  if (config === undefined) return { lines: [...configured, ...(await machine)], secrets };
  await loadDeclared();
  const { mesh } = config;
  const parts = mesh === undefined ? linesOf(embeddedChecks, { env, config }) : linesOfMesh({ env, config, mesh });
  const lines = await Promise.all([machine, linesOf(configuredChecks, { env, config }), parts]);
  return { lines: [...configured, ...lines.flat()], secrets };
}

async function diagnose(): Promise<boolean> {
  const url = urlGiven();
  const { lines, secrets } = url === undefined ? await linesHere() : { lines: await linesOfConnection(remotePart, url), secrets: [] };
  for (const { isFine, name, text } of lines)
    process.stdout.write(`${isFine ? "ok  " : "todo"}  ${name}: ${withoutSecrets(text, secrets)}\n`);
  const left = lines.filter(({ isFine }) => !isFine).length;
  process.stdout.write(left === 0 ? "All is well.\n" : `${left} to do.\n`);
  return left === 0;
}

try {
  process.exitCode = (await diagnose()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n${usage}\n`);
  process.exitCode = 1;
}
// Exit now: a connection to a dead server would keep the process running.
process.exit();
