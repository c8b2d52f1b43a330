/** The options of `logIn`, `signUp` and `resume`, and their defaults. */
import { MemoryStorage, type Storage } from "./storage/storage.ts";

export interface ConnectOptions {
  /** The server's, like `http://localhost:3000`; in a browser, if not given, the page's own. */
  readonly url?: string | undefined;
  /** In memory if not given. */
  readonly storage?: Storage | undefined;
}
export interface Credentials extends ConnectOptions {
  readonly emailId: string;
  readonly password: string;
}
export interface NewAccount extends Credentials {
  readonly firstName: string;
  readonly lastName: string;
}
export interface Resuming extends ConnectOptions {
  /** If not given: the storage's, else the browser's cookie. */
  readonly token?: string | undefined;
}

export function withDefaults({ url, storage = new MemoryStorage() }: ConnectOptions): { url: string; storage: Storage } {
  const { location } = globalThis as { location?: { origin: string } };
  const given = url ?? location?.origin;
  if (given === undefined) throw new TypeError("The server's url is needed");
  return { url: given.replace(/\/+$/, ""), storage };
}
