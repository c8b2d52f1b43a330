/**
 * Reports over HTTP what only the measured process knows: the delay of its event loop, and its memory after a forced collection. Loaded
 * into every measured server with `--import`. The port is in this module's URL.
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
  /** JavaScript heap and external buffers. */
  readonly heldBytes: number;
}

/** The histogram records the time between two timer callbacks: the interval plus the delay. */
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
      // Objects released by a finalizer are freed by the next collection.
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
// Worker threads import this module too.
if (isMainThread && port !== null) serve(Number(port));
