/** What a server's process keeps: file handles, as Linux counts them, and memory after a forced collection, asked of its inspector. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import type { EmbeddedServer } from "../../support/servers/server.ts";

/** What each handle of the process is, without what tells two of a kind apart. */
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

/** Connections to where the server listens that it still holds a handle of, in whatever state: only those have an inode. */
export function connectionsOf({ url }: EmbeddedServer): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${port}`) === true && fields[3] !== listening && fields[9] !== "0").length;
}

/** Lets the process's inspector listen on any free port once it is signalled. */
export const inspectable = { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" } as const;

/** A line to the process's inspector. */
export class ProcessInspector {
  private readonly socket: WebSocket;
  private asked = 0;

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

  /** Bytes in use on the heap and beside it, collected first: twice, for what finalizers let go. */
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
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      const hear = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== id) return;
        this.socket.removeEventListener("message", hear);
        if (answer.error === undefined) resolve(answer.result as T);
        else reject(new Error(answer.error.message));
      };
      this.socket.addEventListener("message", hear);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

/** Lines of the log that tell of an error, or are no line of the log at all. */
export const errorsLogged = (log: string): string[] =>
  log.split("\n").filter((line) => (line.startsWith("{") ? /"level":(?:50|60)/.test(line) : /error|warning|exception/i.test(line)));
