/** The machine and the process: Node, open files, room for uploads. */
import { constants, readFileSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { fine, isAtLeast, todo, type DoctorCheck, type Finding } from "./check.ts";

const leastNode = "24.15";
/** Each socket is one; a gateway of some thousand people needs them, and RabbitMQ, MongoDB and Redis some more. */
const leastOpenFiles = 4096;
/** 100 uploads of 5 MB may lie there at once; a file system of just that size has a little less. */
const leastTemporaryBytes = 450e6;
const gigabyte = 1e9;

export const inGigabytes = (bytes: number): string => `${(bytes / gigabyte).toFixed(1)} GB`;

/** How much room is left for what grows: too little is less than 1 GB, or less than 15 % and 20 GB. */
export function roomFinding(what: string, freeBytes: number, totalBytes: number): Finding {
  const share = freeBytes / totalBytes;
  const text = `${what}: ${inGigabytes(freeBytes)} free (${Math.round(share * 100)} %)`;
  const isFull = freeBytes < gigabyte || (share < 0.15 && freeBytes < 20 * gigabyte);
  return isFull ? todo(`${text}: make room, or messages can't be stored`) : fine(text);
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
    return todo(`${version} is too old: install Node ${leastNode} or newer, or run this by npm after npm ci`);
  },
};

const openFiles: DoctorCheck<unknown> = {
  name: "Open files",
  run() {
    const limit = openFilesLimit();
    if (limit === undefined) return fine("this system does not tell its limit");
    if (limit >= leastOpenFiles) return fine(`${limit} a process (ulimit -n)`);
    return todo(`only ${limit} a process: raise ulimit -n (systemd: LimitNOFILE) to ${leastOpenFiles} or more, for each socket is one`);
  },
};

/** Node raises the limit to the hardest it may have, so that one counts. */
function openFilesLimit(): number | undefined {
  try {
    const [, , hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return hard === undefined ? undefined : hard === "unlimited" ? Infinity : Number(hard);
  } catch {
    return undefined;
  }
}

/** Of a gateway: uploads under way lie there. */
export async function temporaryFinding(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch {
    return todo(`${folder} can't be written: set TMPDIR to a folder for uploads under way`);
  }
  const { bavail, bsize } = await statfs(folder);
  const free = `${folder}: ${inGigabytes(bavail * bsize)} free`;
  if (bavail * bsize >= leastTemporaryBytes) return fine(free);
  return todo(`${free}: uploads under way may need 0.5 GB; make room, or set TMPDIR`);
}

export const machineChecks: readonly DoctorCheck<unknown>[] = [node, openFiles];
