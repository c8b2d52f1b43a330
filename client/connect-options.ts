/** Defines the options of `logIn`, `signUp` and `resume`, and their defaults. */
import { MemoryStorage, type Storage } from "./storage/storage.ts";

export interface ConnectOptions {
  /** The server's URL, such as `http://localhost:3000`. Default in a browser: the page's origin. */
  readonly url?: string | undefined;
  /** Default: in memory. */
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
  /** Default: the token in the storage, or else the browser's cookie. */
  readonly token?: string | undefined;
}

export function withDefaults({ url, storage = new MemoryStorage() }: ConnectOptions): { url: string; storage: Storage } {
  const { location } = globalThis as { location?: { origin: string } };
  const given = url ?? location?.origin;
  if (given === undefined) throw new TypeError("Pass the server's url: only a browser has a default");
  return { url: given.replace(/\/+$/, ""), storage };
}
