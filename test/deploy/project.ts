/** Runs the repository's compose file on an engine, and inspects its containers. */
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
  /** Undefined without a health check. */
  readonly health: string | undefined;
  readonly exitCode: number;
  /** By network, named without the project's prefix. */
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

  /** @param files  compose files in addition to the repository's */
  constructor(engine: DockerEngine, name: string, env: Readonly<Record<string, string>> = {}, files: readonly string[] = []) {
    this.engine = engine;
    this.name = name;
    this.files = [join(root, "docker-compose.yml"), ...files];
    this.env = env;
  }

  /** Returns the same project with additional environment variables and compose files. */
  with(env: Readonly<Record<string, string>>, files: readonly string[] = []): ComposeProject {
    return new ComposeProject(this.engine, this.name, { ...this.env, ...env }, files);
  }

  compose(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const files = this.files.flatMap((file) => ["-f", file]);
    const env = { ...this.env, ...options.env };
    return this.engine.docker(["compose", "-p", this.name, ...files, ...args], { cwd: root, ...options, env });
  }

  /** Every container, including those that have exited. */
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
    if (found === undefined) throw new Error(`${service} has no container`);
    return found;
  }

  /** Waits until every container with a health check is healthy, and the one-off jobs have exited with 0. */
  async healthy(timeoutMs: number): Promise<void> {
    let last = "";
    const areHealthy = async () => {
      const waiting = (await this.containers()).filter(({ isRunning, health, exitCode }) =>
        isRunning ? health !== undefined && health !== "healthy" : exitCode !== 0,
      );
      last = waiting.map(({ name, health, exitCode }) => `${name}: ${health ?? `exited with ${exitCode}`}`).join(", ");
      return waiting.length === 0;
    };
    await eventually("all containers are healthy", areHealthy, timeoutMs).catch(async (error: unknown) => {
      throw new Error(`not healthy: ${last}\n${await this.compose(["logs", "--tail", "15"])}`, { cause: error });
    });
  }

  /** Runs a Node program in a container. @returns its output */
  inside(container: string, program: string): Promise<string> {
    return this.engine.docker(["exec", container, "node", "-e", program]);
  }

  docker(args: readonly string[]): Promise<string> {
    return this.engine.docker(args);
  }

  /** Removes the project's containers, networks and volumes. */
  async remove(): Promise<void> {
    await this.compose(["--profile", "*", "down", "--volumes", "--timeout", "20"]);
  }
}
