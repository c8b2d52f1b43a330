/**
 * Writes blobs while the disk is full: a limit on the size of this process's files makes writes fail, until it is lifted. Argument: the
 * folder. Prints, as JSON, the outcomes of writes before, during and after the limit, and how many entries the folder has after each.
 */
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { Readable } from "node:stream";
import { newId } from "../../../core/ids.ts";
import { recordWarnings, openBlobs } from "./blobs.ts";

const folder = process.argv[2]!;
const limitFiles = (bytes: string) => {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
};
const { log, warnings } = recordWarnings();
const blobs = await openBlobs(["disk", folder, ""], log);
const key = newId();
const attempt = async (keys: readonly string[]) => {
  const writes = keys.map((one) => blobs.write(one, Readable.from([Buffer.alloc(600_000), Buffer.alloc(600_000)], { objectMode: false })));
  const outcomes = (await Promise.allSettled(writes)).map((one) => (one.status === "fulfilled" ? "stored" : (one.reason.type as string)));
  const names = await readdir(folder, { recursive: true });
  return { outcomes, holds: names.filter((name) => name !== "unfinished").length };
};

const before = await attempt([key]);
limitFiles("1000000");
const full = await attempt([key, newId(), newId()]);
limitFiles("unlimited");
const after = await attempt([key, newId()]);
process.stdout.write(JSON.stringify({ before, full, after, warnings: warnings.length }));
