/**
 * Loaded into a server that is measured (`--import`), ours and each baseline alike: tells over HTTP what only the process itself knows,
 * its event loop's delay and its memory after a forced collection. The port is in this module's own URL.
 */
import { createServer } from "node:http";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

export interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
export interface Memory {
  readonly rssBytes: number;
  /** JavaScript's heap and the buffers it refers to. */
  readonly heldBytes: number;
}

/** The histogram holds times between two calls of a timer: this one's interval, and what it was late. */
const resolutionMs = 5;
const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);

function serve(port: number): void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  const answers: Readonly<Record<string, () => unknown>> = {
    "/delay/start": () => {
      delay.reset();
      return { isOn: delay.enable() };
    },
    "/delay/end": (): Delay => {
      delay.disable();
      return { p50Ms: late(delay.percentile(50)), p99Ms: late(delay.percentile(99)), maxMs: late(delay.max) };
    },
    "/memory": (): Memory => {
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as () => void;
      // What a finalizer lets go is collected the next time.
      for (let i = 0; i < 3; i++) collect();
      const { rss, heapUsed, external } = process.memoryUsage();
      return { rssBytes: rss, heldBytes: heapUsed + external };
    },
  };
  const server = createServer(({ url = "" }, response) => response.end(JSON.stringify(answers[url]?.() ?? null)));
  server.listen(port, "127.0.0.1");
  server.unref();
}

const port = new URL(import.meta.url).searchParams.get("port");
// A worker thread is given the same modules.
if (isMainThread && port !== null) serve(Number(port));
