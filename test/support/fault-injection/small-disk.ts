/**
 * A folder that a test can fill up and empty again. It is a small tmpfs where this process may mount one. Otherwise a limit on the size of a
 * process's files has the effect of a full disk.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";

export interface SmallDisk {
  readonly folder: string;
  /** The means by which it is filled, to be printed beside results. */
  readonly means: "a small tmpfs" | "a limit on the size of its files";
  /** @param pid  the process that writes there */
  fill(pid: number): void;
  empty(pid: number): void;
  /** Removes it with its files. Call it when nothing uses it any more. */
  close(): void;
}

const size = "64m";
const prefix = join(tmpdir(), "parley-disk-");

export function openSmallDisk(): SmallDisk {
  removeLeftovers();
  const folder = mkdtempSync(`${prefix}${process.pid}-`);
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${size}`, "parley", folder);
  } catch {
    return limited(folder);
  }
  const remove = () => removeMounted(folder);
  const forget = cleanUpOnExit(remove);
  const filler = join(folder, "filler");
  return {
    folder,
    means: "a small tmpfs",
    fill() {
      for (const bytes of [1024 * 1024, 4096]) fillUp(filler, Buffer.alloc(bytes));
    },
    empty: () => rmSync(filler),
    close() {
      forget();
      remove();
    },
  };
}

function limited(folder: string): SmallDisk {
  const limit = (pid: number, bytes: string): void => run("prlimit", "--pid", `${pid}`, `--fsize=${bytes}:unlimited`);
  const log = (): string => readdirSync(folder).find((name) => name.endsWith("-wal"))!;
  return {
    folder,
    means: "a limit on the size of its files",
    fill: (pid) => limit(pid, `${statSync(join(folder, log())).size}`),
    empty: (pid) => limit(pid, "unlimited"),
    close: () => rmSync(folder, { recursive: true }),
  };
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: "pipe" });
}

/** Appends the piece until the disk is full. */
function fillUp(file: string, piece: Buffer): void {
  for (;;) {
    try {
      appendFileSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw error;
    }
  }
}

/** Works even while a process that is about to end still has files open there. */
function removeMounted(folder: string): void {
  run("umount", "--lazy", folder);
  rmSync(folder, { recursive: true });
}

/** Removes what killed test runs left. */
function removeLeftovers(): void {
  const mounted = [...readFileSync("/proc/mounts", "utf8").matchAll(/^\S+ (\S+) tmpfs/gm)].map(([, folder]) => folder!);
  for (const folder of mounted.filter((path) => path.startsWith(prefix))) {
    const pid = folder.slice(prefix.length).split("-")[0]!;
    if (!existsSync(`/proc/${pid}`)) removeMounted(folder);
  }
}
