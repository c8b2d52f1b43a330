/** Reads secrets from files, as Docker and Kubernetes mount them: once, at the start. Messages never quote them. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** No secret is longer, so a larger file is the wrong one. */
const maxBytes = 65_536;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "can't be read: permission denied",
  ENOTDIR: "does not exist",
};

/**
 * A file's text without the white space around it, such as the newline that editors add at the end.
 * @param variable  the variable that names the file, for the message
 * @throws Error  in one line: the file is missing, unreadable, not a regular file, empty, or larger than 64 KiB
 */
export function readSecretFile(variable: string, path: string): string {
  const refuse = (reason: string): never => {
    throw new Error(`${variable} names ${path}, which ${reason}`);
  };
  let text: string;
  try {
    text = firstBytes(path, refuse).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return refuse(reasons[code] ?? `can't be read: ${code}`);
  }
  return text === "" ? refuse("is empty") : text;
}

function firstBytes(path: string, refuse: (reason: string) => never): string {
  const file = openSync(path, "r");
  try {
    if (!fstatSync(file).isFile()) return refuse("is not a regular file");
    const buffer = Buffer.alloc(maxBytes + 1);
    const length = readSync(file, buffer, 0, buffer.length, 0);
    return length > maxBytes ? refuse(`is larger than ${maxBytes / 1024} KiB`) : buffer.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}
