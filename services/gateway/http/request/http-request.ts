/** The HTTP request as the pipeline knows it. */
import type { IncomingMessage } from "node:http";

export type PathParams = Readonly<Record<string, string>>;
/** Validated public params where the route's row is not known. */
export type InputFields = Readonly<Record<string, unknown>>;

/** A request on its way: what the entry and the routing noted on it. */
export interface HttpRequest extends IncomingMessage {
  requestId: string;
  path: string;
  /** As sent, without the question mark. */
  query: string;
  pathParams: PathParams;
  /** Who is signed in, once that is known. */
  userId?: string | undefined;
  /** Its route, as the table has it; undefined when there is none. */
  route?: string;
  /** A GET whose answer's body is not wanted. */
  isHead: boolean;
}

/** What was asked for, without what the client made up: paths hold ids. */
export const routeName = ({ method, route }: HttpRequest): string => (route === undefined ? "(no route)" : `${method} ${route}`);
