/** Reads a server process's file handles from /proc, and its memory after a forced collection through Node's inspector. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import type { EmbeddedServer } from "../../support/servers/server.ts";

/** The targets of the process's file handles. */
export function handlesOf({ pid }: EmbeddedServer): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

const listening = "0A";

/** Number of connections to the server's port that it still holds, in any state. Only these have an inode. */
export function connectionsOf({ url }: EmbeddedServer): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${port}`) === true && fields[3] !== listening && fields[9] !== "0").length;
}

/** Lets the inspector listen on a free port after SIGUSR1. */
export const inspectable = { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" } as const;

/** A connection to the process's inspector. */
export class ProcessInspector {
  private readonly socket: WebSocket;
  private requests = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
  }

  static async of(server: EmbeddedServer): Promise<ProcessInspector> {
    server.signal("SIGUSR1");
    const url = await eventually("the inspector listens", () => /ws:\/\/\S+/.exec(server.log())?.[0]);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error("the inspector refused")), { once: true });
    });
    return new ProcessInspector(socket);
  }

  /** Bytes in use on the heap and in external buffers, after two collections: the second one frees what finalizers released. */
  async bytes(): Promise<number> {
    await this.ask("HeapProfiler.collectGarbage");
    await this.ask("HeapProfiler.collectGarbage");
    const expression = "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())";
    const { result } = await this.ask<{ result: { value: number } }>("Runtime.evaluate", { expression });
    return result.value;
  }

  close(): void {
    this.socket.close();
  }

  private ask<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.requests;
    return new Promise((resolve, reject) => {
      const onMessage = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== id) return;
        this.socket.removeEventListener("message", onMessage);
        if (answer.error === undefined) resolve(answer.result as T);
        else reject(new Error(answer.error.message));
      };
      this.socket.addEventListener("message", onMessage);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

/** Log lines of level error and above, and other output that mentions an error. */
export const errorsLogged = (log: string): string[] =>
  log.split("\n").filter((line) => (line.startsWith("{") ? /"level":(?:50|60)/.test(line) : /error|warning|exception/i.test(line)));
