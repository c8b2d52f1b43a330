/** Checks out an earlier release with `git worktree`, to be run with this checkout's dependencies. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import type { ChangingAction } from "../client/message-changes.ts";
import { temporaryFolder } from "./server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** Git works in a checkout of any owner: in a container the owner is often another user. */
const git = ["-C", root, "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"];

/** The last commit before schema versions, eras and secrets in files. Tests of the rolling upgrade begin with it. */
export const oldRelease = "64bf2a4156f373559f041b0bac5d96a0b418e9de";
/** The changes of messages that its nodes know. */
export const oldActions: ChangingAction[] = ["edit", "remove", "react"];

/** Returns why a commit can't be checked out, or undefined when it can. */
export function lackingRelease(commit: string): string | undefined {
  const { status, error } = spawnSync("git", [...git, "cat-file", "-e", `${commit}^{commit}`], { stdio: "ignore" });
  if (error !== undefined) return "git";
  return status === 0 ? undefined : `commit ${commit.slice(0, 7)}, which a shallow clone has not (git fetch --unshallow)`;
}

export interface Checkout {
  readonly root: string;
  remove(): Promise<void>;
}

export async function checkOut(commit: string): Promise<Checkout> {
  const folder = await temporaryFolder();
  const at = join(folder, "release");
  await promisify(execFile)("git", [...git, "worktree", "add", "--detach", "--quiet", at, commit]);
  const removeWorktree = () => {
    execFileSync("git", [...git, "worktree", "remove", "--force", at], { stdio: "ignore" });
    execFileSync("git", [...git, "worktree", "prune"], { stdio: "ignore" });
  };
  const forget = cleanUpOnExit(removeWorktree);
  await symlink(join(root, "node_modules"), join(at, "node_modules"));
  return {
    root: at,
    async remove() {
      forget();
      removeWorktree();
      await rm(folder, { recursive: true });
    },
  };
}
