/** What is demanded of a running project besides that it works: what its containers may do, and how they wait and end. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import type { ComposeContainer, ComposeProject } from "./project.ts";

/** What a process in the container sees of its own rights. */
const rights = `
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const field = (name) => new RegExp("^" + name + ":\\\\s*(\\\\S+)", "m").exec(status)[1];
  const refusal = (file) => { try { fs.writeFileSync(file, "x"); return "written"; } catch ({ code }) { return code; } };
  console.log(JSON.stringify({
    user: process.getuid(), effective: field("CapEff"), bounding: field("CapBnd"), noNewPrivileges: field("NoNewPrivs"),
    root: refusal("/x"), program: refusal("/parley/package.json"),
  }));
`;

/** Every container of Parley's image: what it was started with, and what a process in it meets. @returns how many */
export async function areClosed(project: ComposeProject): Promise<number> {
  const ours = (await project.containers()).filter(({ isOurs }) => isOurs);
  for (const container of ours) {
    const { isReadOnly, dropped, securityOptions, user } = container;
    assert.deepEqual({ isReadOnly, dropped, user }, { isReadOnly: true, dropped: ["ALL"], user: "1000:1000" }, container.name);
    assert.deepEqual(securityOptions, ["no-new-privileges:true"], container.name);
    if (!container.isRunning) continue;
    assert.deepEqual(
      JSON.parse(await project.inside(container.name, rights)),
      { user: 1000, effective: "0".repeat(16), bounding: "0".repeat(16), noNewPrivileges: "1", root: "EROFS", program: "EROFS" },
      container.name,
    );
  }
  return ours.length;
}

/** A node that is started while MongoDB is away says so at each try and is not ready; it becomes ready once MongoDB is back. */
export async function waitsForItsStore(project: ComposeProject): Promise<void> {
  await project.compose(["stop", "mongo"]);
  const { name } = await project.container("core");
  const since = new Date().toISOString();
  await project.docker(["restart", name]);
  const tries = async () =>
    (await project.docker(["logs", "--since", since, name])).split("MongoDB can't be reached, trying again").length - 1;
  await eventually("it has tried three times", async () => (await tries()) >= 3, 60_000);
  const check = await project.inside(name, `fetch("http://127.0.0.1:3001/ready").then((answer) => console.log(answer.status))`);
  assert.equal(check.trim(), "503");
  assert.notEqual((await project.container("core")).health, "unhealthy");
  await project.compose(["start", "mongo"]);
  await project.healthy(120_000);
}

/** A node with too little memory: one line and exit code 1. @returns the line */
export async function refusesTooLittleMemory(project: ComposeProject): Promise<string> {
  const args = ["run", "--rm", "--memory", "96m", "parley:local"];
  const failure = await project.docker(args).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
  assert.match(failure ?? "", /: 1\nParley can't start: its container limits it to 96 MiB of memory[^\n]*$/);
  return failure!.split("\n").at(-1)!;
}

/** Stops everything. @returns the exit codes of what is not ours, by service; ours are 0 */
export async function endsWell(project: ComposeProject): Promise<string> {
  const before = (await project.containers()).filter(({ isRunning }) => isRunning).map(({ name }) => name);
  await project.compose(["--profile", "*", "stop"]);
  const stopped = (await project.containers()).filter(({ name }) => before.includes(name));
  const codes = (all: readonly ComposeContainer[]) => Object.fromEntries(all.map(({ name, exitCode }) => [name, exitCode]));
  const ours = stopped.filter(({ isOurs }) => isOurs);
  assert.deepEqual(codes(ours), Object.fromEntries(ours.map(({ name }) => [name, 0])));
  return stopped
    .filter(({ isOurs }) => !isOurs)
    .map(({ service, exitCode }) => `${service} ${exitCode}`)
    .join(", ");
}
