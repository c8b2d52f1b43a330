/**
 * Fetches Docker's plugins Compose and buildx from Debian. The release that this runs on may not have them, so the packages come from a
 * later one. They are downloaded with a separate apt configuration, and unpacked without being installed.
 */
import { copyFile, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./shell.ts";

const release = "trixie";
const packages = ["docker-compose", "docker-buildx"];

/** The Debian mirror that this machine uses. */
export async function debianMirror(): Promise<string> {
  const targets = await run("apt-get", ["indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages", "Component: main"]);
  const uris = targets.split("\n").flatMap((line) => (line.startsWith("Debian ") ? [line.slice("Debian ".length)] : []));
  const uri = uris.find((one) => !one.includes("security"));
  if (uri === undefined) throw new Error("apt-get knows of no Debian mirror: run apt-get update");
  return uri;
}

/**
 * @param folder  cache folder, kept for the next run
 * @returns a folder for DOCKER_CONFIG that has both plugins
 */
export async function fetchPlugins(folder: string): Promise<string> {
  const plugins = join(folder, "cli-plugins");
  if (await stat(plugins).catch(() => undefined)) return folder;
  const work = join(folder, "apt");
  await rm(work, { recursive: true, force: true });
  for (const inner of ["lists/partial", "cache/archives/partial", "unpacked"]) await mkdir(join(work, inner), { recursive: true });
  await writeFile(join(work, "status"), "");
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await writeFile(join(work, "sources.list"), `deb [signed-by=${key}] ${await debianMirror()} ${release} main\n`);
  const settings = {
    "Dir::Etc::sourcelist": join(work, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": "root",
  };
  const own = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run("apt-get", [...own, "update", "-qq"]);
  await run("apt-get", [...own, "download", "-qq", ...packages], { cwd: work });
  for (const name of (await readdir(work)).filter((name) => name.endsWith(".deb"))) {
    await run("dpkg", ["-x", join(work, name), join(work, "unpacked")]);
  }
  const unpacked = join(work, "unpacked/usr/libexec/docker/cli-plugins");
  const ready = join(work, "cli-plugins");
  await mkdir(ready);
  for (const name of await readdir(unpacked)) await copyFile(join(unpacked, name), join(ready, name));
  await run("mv", [ready, plugins]);
  await rm(work, { recursive: true });
  return folder;
}
