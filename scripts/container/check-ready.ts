/**
 * Runs the image's health check: asks this container's node whether it is ready, on the admin server's address. Prints the response, which
 * names the unavailable part, and exits with 1 if the node is not ready or does not answer.
 */
import { request } from "node:http";

const { ADMIN_HOST = "127.0.0.1", ADMIN_PORT = "3001" } = process.env;
/** A server can listen on these wildcard addresses, but a client can't connect to them. */
const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
const timeoutMs = 4000;

const asking = request({ host: everywhere[ADMIN_HOST] ?? ADMIN_HOST, port: ADMIN_PORT, path: "/ready", timeout: timeoutMs });
asking.on("timeout", () => asking.destroy(new Error(`no answer within ${timeoutMs} ms`)));
asking.on("error", (error) => {
  process.stdout.write(`${error.message}\n`);
  process.exitCode = 1;
});
asking.on("response", (response) => {
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  response.pipe(process.stdout);
});
asking.end();
