/**
 * Names the service that uses the files of each purpose. Media asks it which files are in use and drops those that it releases, without
 * knowing any of these services. The list is static: with run-time discovery, a service that is away would look like one that uses
 * nothing, and media would delete its files.
 */
import { call, type Caller } from "../core/contract/call.ts";
import { Unavailable } from "../core/errors.ts";
import { chatFiles } from "./chat/contract.ts";
import type { FileUser, Purpose } from "./media/contract.ts";
import { profileFiles } from "./profile/contract.ts";

const fileUsers = { message: chatFiles, profile: profileFiles, group: chatFiles } as const satisfies Record<Purpose, FileUser>;

/** The events that release a file, each once. */
export const releasedFileEvents = [...new Set(Object.values(fileUsers).map(({ released }) => released))];

/**
 * Returns those of the files, all of one purpose, that something refers to.
 * @throws Unavailable  another release added the purpose, so this one can't ask anyone. The files must be neither kept nor dropped.
 */
export async function filesInUse(caller: Caller, purpose: string, fileIds: readonly string[]): Promise<readonly string[]> {
  const user = new Map<string, FileUser>(Object.entries(fileUsers)).get(purpose);
  if (user === undefined) throw new Unavailable(`This release knows no user of files of purpose ${purpose}`);
  return call(caller, user.inUse, { fileIds: [...fileIds] });
}
