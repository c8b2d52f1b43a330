/**
 * `npm run demo`: starts an embedded server and walks three people through it, over real HTTP and sockets, as a person would tell it.
 * `npm run demo -- --url http://...` walks the same way through a server that runs already: an operator's smoke check.
 */
import { parseArgs } from "node:util";
import { startEmbedded } from "../test/support/servers/server.ts";
import { Steps } from "./demo/steps.ts";
import { walk } from "./demo/walk.ts";

const usage = "Usage: npm run demo [-- --url http://host:port]";

function urlGiven(): string | undefined {
  const { url } = parseArgs({ options: { url: { type: "string" } } }).values;
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) throw new Error(`--url ${url} is no http or https URL`);
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

// Exit by code only: a failed step has said what went wrong.
try {
  process.exitCode = (await demo()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${usage}\n`);
  process.exitCode = 1;
}
