/** Serves a web page and its files to a browser, at an origin that is not Parley's. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface PageServer {
  readonly port: number;
  /** The path of each request. */
  readonly requestedPaths: readonly string[];
  readonly close: () => void;
}

/** @param read  returns the text at a path: HTML at `/`, elsewhere JavaScript. If it rejects, the answer is 404. */
export async function servePage(read: (path: string) => Promise<string>): Promise<PageServer> {
  const requestedPaths: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    requestedPaths.push(path);
    response.setHeader("Content-Type", path === "/" ? "text/html" : "text/javascript");
    read(path).then(
      (text) => response.end(text),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, requestedPaths, close: () => server.close() };
}
