/** Checks the machine and the process: Node's version, the limit of open files, and disk space. */
import { constants, readFileSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { fine, isAtLeast, todo, type DoctorCheck, type Finding } from "./check.ts";

const leastNode = "24.15";
/**
 * Each socket is an open file, and so are some connections to RabbitMQ, MongoDB and Redis. A gateway with a few thousand users needs this
 * many.
 */
const leastOpenFiles = 4096;
/** Space for 100 concurrent uploads of 5 MB; a file system of exactly that size offers a little less. */
const leastTemporaryBytes = 450e6;
const gigabyte = 1e9;

export const inGigabytes = (bytes: number): string => `${(bytes / gigabyte).toFixed(1)} GB`;

/** Checks the free space for growing data. Too little is less than 1 GB, or less than both 15 % and 20 GB. */
export function roomFinding(what: string, freeBytes: number, totalBytes: number): Finding {
  const share = freeBytes / totalBytes;
  const text = `${what}: ${inGigabytes(freeBytes)} free (${Math.round(share * 100)} %)`;
  const isFull = freeBytes < gigabyte || (share < 0.15 && freeBytes < 20 * gigabyte);
  return isFull ? todo(`${text}: free some space, or messages can't be stored`) : fine(text);
}

export async function diskFinding(what: string, folder: string): Promise<Finding> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return roomFinding(what, bavail * bsize, blocks * bsize);
}

const node: DoctorCheck<unknown> = {
  name: "Node",
  run() {
    const version = process.versions.node;
    if (isAtLeast(version, leastNode)) return fine(version);
    return todo(`${version} is too old: install Node ${leastNode} or newer, or run this through npm after npm ci`);
  },
};

const openFiles: DoctorCheck<unknown> = {
  name: "Open files",
  run() {
    const limit = openFilesLimit();
    if (limit === undefined) return fine("this system does not report its limit");
    if (limit >= leastOpenFiles) return fine(`${limit} per process (ulimit -n)`);
    return todo(
      `only ${limit} per process: raise ulimit -n (systemd: LimitNOFILE) to ${leastOpenFiles} or more, since each socket is an open file`,
    );
  },
};

/** Returns the hard limit: Node raises its soft limit to it. */
function openFilesLimit(): number | undefined {
  try {
    const [, , hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return hard === undefined ? undefined : hard === "unlimited" ? Infinity : Number(hard);
  } catch {
    return undefined;
  }
}

/** Checks a gateway's folder for uploads in progress. */
export async function temporaryFinding(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch {
    return todo(`${folder} can't be written: set TMPDIR to a folder for uploads in progress`);
  }
  const { bavail, bsize } = await statfs(folder);
  const free = `${folder}: ${inGigabytes(bavail * bsize)} free`;
  if (bavail * bsize >= leastTemporaryBytes) return fine(free);
  return todo(`${free}: uploads in progress may need 0.5 GB; free some space, or set TMPDIR`);
}

export const machineChecks: readonly DoctorCheck<unknown>[] = [node, openFiles];
