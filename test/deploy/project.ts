/** The project's own compose file, run on an engine: what its containers are and do, as an operator would ask. */
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import type { DockerEngine } from "./docker/engine.ts";
import type { RunOptions } from "./docker/shell.ts";

export const root = join(import.meta.dirname, "../..");

export interface ComposeContainer {
  readonly name: string;
  readonly service: string;
  readonly isOurs: boolean;
  readonly isRunning: boolean;
  /** Undefined where nothing checks it. */
  readonly health: string | undefined;
  readonly exitCode: number;
  /** On each network, by the network's name without the project's. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly isReadOnly: boolean;
  readonly dropped: readonly string[];
  readonly securityOptions: readonly string[];
  readonly user: string;
}

interface InspectedContainer {
  readonly Name: string;
  readonly Config: { readonly Image: string; readonly User: string; readonly Labels: Readonly<Record<string, string>> };
  readonly State: { readonly Running: boolean; readonly ExitCode: number; readonly Health?: { readonly Status: string } };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
  };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
}

export class ComposeProject {
  private readonly engine: DockerEngine;
  private readonly name: string;
  private readonly files: readonly string[];
  private readonly env: Readonly<Record<string, string>>;

  /** @param files  besides the project's own */
  constructor(engine: DockerEngine, name: string, env: Readonly<Record<string, string>> = {}, files: readonly string[] = []) {
    this.engine = engine;
    this.name = name;
    this.files = [join(root, "docker-compose.yml"), ...files];
    this.env = env;
  }

  /** The same project with other settings, as after a change of `.env` or an override. */
  with(env: Readonly<Record<string, string>>, files: readonly string[] = []): ComposeProject {
    return new ComposeProject(this.engine, this.name, { ...this.env, ...env }, files);
  }

  compose(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const files = this.files.flatMap((file) => ["-f", file]);
    const env = { ...this.env, ...options.env };
    return this.engine.docker(["compose", "-p", this.name, ...files, ...args], { cwd: root, ...options, env });
  }

  /** Every container, also one that has ended. */
  async containers(): Promise<ComposeContainer[]> {
    const ids = (await this.compose(["--profile", "*", "ps", "-aq"])).split("\n").filter(Boolean);
    if (ids.length === 0) return [];
    const inspected = JSON.parse(await this.engine.docker(["inspect", ...ids])) as InspectedContainer[];
    return inspected.map(({ Name, Config, State, HostConfig, NetworkSettings }) => ({
      name: Name.slice(1),
      service: Config.Labels["com.docker.compose.service"]!,
      isOurs: Config.Image.startsWith("parley:"),
      isRunning: State.Running,
      health: State.Health?.Status,
      exitCode: State.ExitCode,
      addresses: Object.fromEntries(
        Object.entries(NetworkSettings.Networks).map(([name, { IPAddress }]) => [name.replace(`${this.name}_`, ""), IPAddress]),
      ),
      isReadOnly: HostConfig.ReadonlyRootfs,
      dropped: HostConfig.CapDrop ?? [],
      securityOptions: HostConfig.SecurityOpt ?? [],
      user: Config.User,
    }));
  }

  async container(service: string): Promise<ComposeContainer> {
    const found = (await this.containers()).find((one) => one.service === service);
    if (found === undefined) throw new Error(`there is no container of ${service}`);
    return found;
  }

  /** Waits until every container that is checked is healthy, and the jobs have ended well. */
  async healthy(timeoutMs: number): Promise<void> {
    let last = "";
    const look = async () => {
      const waiting = (await this.containers()).filter(({ isRunning, health, exitCode }) =>
        isRunning ? health !== undefined && health !== "healthy" : exitCode !== 0,
      );
      last = waiting.map(({ name, health, exitCode }) => `${name}: ${health ?? `ended with ${exitCode}`}`).join(", ");
      return waiting.length === 0;
    };
    await eventually("all are healthy", look, timeoutMs).catch(async (error: unknown) => {
      throw new Error(`not healthy: ${last}\n${await this.compose(["logs", "--tail", "15"])}`, { cause: error });
    });
  }

  /** What a program run by Node in a container prints. */
  inside(container: string, program: string): Promise<string> {
    return this.engine.docker(["exec", container, "node", "-e", program]);
  }

  docker(args: readonly string[]): Promise<string> {
    return this.engine.docker(args);
  }

  /** Removes its containers, networks and volumes. */
  async remove(): Promise<void> {
    await this.compose(["--profile", "*", "down", "--volumes", "--timeout", "20"]);
  }
}
