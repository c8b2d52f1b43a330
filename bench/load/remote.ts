/** Runs load in separate processes, so that no server shares its process with client code. The processes execute commands over IPC. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

export type Commands = Readonly<Record<string, (params: never) => Promise<unknown>>>;

type Answered<A> = A extends (params: never) => Promise<infer R> ? R : never;

export interface LoadProcess<C extends Commands> {
  readonly pid: number;
  /** @throws Error  the command failed, or the process exited */
  readonly ask: <K extends keyof C & string>(command: K, params: Parameters<C[K]>[0]) => Promise<Answered<C[K]>>;
  readonly stop: () => Promise<void>;
}

/** Number of load processes that fit on the machine beside the server. */
export const loadCount = Math.max(1, Math.floor(availableParallelism() / 2));

interface CommandMessage {
  readonly command: string;
  readonly params: unknown;
}
type CommandReply = { readonly value: unknown } | { readonly failure: string };

/** Runs in the load process: executes its commands, one at a time. */
export function serveCommands(commands: Commands): void {
  process.on("message", ({ command, params }: CommandMessage) => {
    void (commands[command]! as (params: unknown) => Promise<unknown>)(params)
      .then((value): CommandReply => ({ value }))
      .catch((error: unknown): CommandReply => ({ failure: String(error) }))
      .then((answer) => process.send!(answer));
  });
  process.once("disconnect", () => process.exit());
}

/** @param name  name of a program in this folder that serves commands */
export function startLoad<C extends Commands>(name: string): LoadProcess<C> {
  const child = fork(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), { serialization: "advanced" });
  const exited = once(child, "exit");
  return {
    pid: child.pid!,
    async ask(command, params) {
      const answered = once(child, "message") as Promise<[CommandReply]>;
      child.send({ command, params } satisfies CommandMessage);
      const ended = exited.then((): never => {
        throw new Error(`the load process ${name} ended during ${command}`);
      });
      const [answer] = await Promise.race([answered, ended]);
      if ("failure" in answer) throw new Error(`${name}, ${command}: ${answer.failure}`);
      return answer.value as Answered<C[typeof command]>;
    },
    async stop() {
      child.disconnect();
      await exited;
    },
  };
}
