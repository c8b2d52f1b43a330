/** Checks of a running project: the containers' rights, waiting for the store, too little memory, and exit codes. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import type { ComposeContainer, ComposeProject } from "./project.ts";

/** A program that prints its own rights inside a container. */
const rights = `
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const field = (name) => new RegExp("^" + name + ":\\\\s*(\\\\S+)", "m").exec(status)[1];
  const refusal = (file) => { try { fs.writeFileSync(file, "x"); return "written"; } catch ({ code }) { return code; } };
  console.log(JSON.stringify({
    user: process.getuid(), effective: field("CapEff"), bounding: field("CapBnd"), noNewPrivileges: field("NoNewPrivs"),
    root: refusal("/x"), program: refusal("/parley/package.json"),
  }));
`;

/** Checks the restrictions of every container of Parley's image, from outside and from a process inside. @returns how many there are */
export async function areRestricted(project: ComposeProject): Promise<number> {
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

/** Checks that a node started while MongoDB is down logs each try, is not ready, and becomes ready once MongoDB is back. */
export async function waitsForItsStore(project: ComposeProject): Promise<void> {
  await project.compose(["stop", "mongo"]);
  const { name } = await project.container("core");
  const since = new Date().toISOString();
  await project.docker(["restart", name]);
  const tries = async () =>
    (await project.docker(["logs", "--since", since, name])).split("MongoDB can't be reached, trying again").length - 1;
  await eventually("the node has tried three times", async () => (await tries()) >= 3, 60_000);
  const check = await project.inside(name, `fetch("http://127.0.0.1:3001/ready").then((answer) => console.log(answer.status))`);
  assert.equal(check.trim(), "503");
  assert.notEqual((await project.container("core")).health, "unhealthy");
  await project.compose(["start", "mongo"]);
  await project.healthy(120_000);
}

/** Checks that a node with too little memory exits with code 1 and one line. @returns the line */
export async function refusesTooLittleMemory(project: ComposeProject): Promise<string> {
  const args = ["run", "--rm", "--memory", "96m", "parley:local"];
  const failure = await project.docker(args).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
  assert.match(failure ?? "", /: 1\nParley can't start: its container limits it to 96 MiB of memory[^\n]*$/);
  return failure!.split("\n").at(-1)!;
}

/** Stops everything, and checks that Parley's containers exit with 0. @returns the exit codes of the others, by service */
export async function stopsCleanly(project: ComposeProject): Promise<string> {
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
