/**
 * `npm run demo`: starts an embedded server and lets three users chat on it over real HTTP and sockets. `npm run demo -- --url http://...`
 * runs the same steps on a running server, as a smoke test.
 */
import { parseArgs } from "node:util";
import { startEmbedded } from "../test/support/servers/server.ts";
import { Steps } from "./demo/steps.ts";
import { walk } from "./demo/walk.ts";

const usage = "Usage: npm run demo [-- --url http://host:port]";

function urlGiven(): string | undefined {
  const { url } = parseArgs({ options: { url: { type: "string" } } }).values;
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) throw new Error(`--url ${url} is not an http or https URL`);
  return url?.replace(/\/+$/, "");
}

async function demo(): Promise<boolean> {
  const steps = new Steps((line) => process.stdout.write(`${line}\n`));
  const url = urlGiven();
  if (url !== undefined) return (await walk(url, steps)) && steps.summary(`at ${url}`);

  const server = await steps.run("An embedded server starts on a free port, in an empty folder", () =>
    startEmbedded({ env: { LIMITS: "on" } }),
  );
  if (server === undefined) return false;
  try {
    const walked = await walk(server.url, steps);
    if (!walked) process.stderr.write(`\nWhat the server printed:\n${server.log()}`);
    return walked && steps.summary("on this machine");
  } finally {
    await server.stop();
  }
}

// No stack trace: a failed step has printed its reason.
try {
  process.exitCode = (await demo()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${usage}\n`);
  process.exitCode = 1;
}
