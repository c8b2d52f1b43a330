/** Runs `npm run doctor` as an operator does: with the given environment, and only PATH and HOME of this process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "@jest/globals";
import type { ServerEnv } from "./server.ts";

export interface Diagnosis {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** The lines with something to do, except those about the disks and limits of the machine that runs the tests. */
  readonly todo: readonly string[];
  readonly ofMachine: readonly string[];
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The id of the user with the fewest rights. */
export const nobody = 65_534;

export async function doctor(env: ServerEnv, { url, uid }: { url?: string; uid?: number } = {}): Promise<Diagnosis> {
  const { PATH = "", HOME = "" } = process.env;
  const args = ["scripts/doctor.ts", ...(url === undefined ? [] : ["--url", url])];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { PATH, HOME, NODE_COMPILE_CACHE: join(tmpdir(), "parley-compile-cache"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  const all = output.split("\n").filter((line) => line.startsWith("todo"));
  const isOfMachine = (line: string): boolean => /^todo {2}(Disk|\w+ disk|Temporary files|Open files):/.test(line);
  return { code, output, errors, todo: all.filter((line) => !isOfMachine(line)), ofMachine: all.filter(isOfMachine) };
}

/** Whether a user without rights can run the doctor here. Not if the project is in a home folder that is closed to others. */
export function canRunAs(): boolean {
  if (process.getuid?.() !== 0) return false;
  const isOpen = (path: string): boolean => (statSync(path).mode & 0o001) !== 0 && (path === "/" || isOpen(dirname(path)));
  return isOpen(dirname(process.execPath)) && isOpen(root);
}

export function expectWell({ code, output, errors, todo, ofMachine }: Diagnosis): void {
  const isWell = ofMachine.length === 0;
  expect({ code, todo, errors }).toEqual({ code: isWell ? 0 : 1, todo: [], errors: "" });
  expect(output.endsWith("\nAll is well.\n")).toBe(isWell);
}

/** Expects a line for each of these things to do, and exit code 1. */
export function expectToDo({ code, output, errors, todo, ofMachine }: Diagnosis, ...lines: readonly (string | RegExp)[]): void {
  for (const line of lines)
    expect(todo).toContainEqual(typeof line === "string" ? expect.stringContaining(line) : expect.stringMatching(line));
  expect({ code, errors }).toEqual({ code: 1, errors: "" });
  expect(output).toMatch(new RegExp(`\\n${todo.length + ofMachine.length} to do\\.\\n$`));
  expect(output).not.toMatch(/^ +at /m);
}
