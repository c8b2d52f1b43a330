/** Declares the HTTP request as the pipeline knows it. */
import type { IncomingMessage } from "node:http";

export type PathParams = Readonly<Record<string, string>>;
/** Validated public params of any route. */
export type InputFields = Readonly<Record<string, unknown>>;

/** A request with the properties that preparation and routing set. */
export interface HttpRequest extends IncomingMessage {
  requestId: string;
  path: string;
  /** Raw, without the question mark. */
  query: string;
  pathParams: PathParams;
  /** Set once the session is verified. */
  userId?: string | undefined;
  /** The route's path in the table; undefined if no route matches. */
  route?: string;
  /** A HEAD request, handled as GET without the response's body. */
  isHead: boolean;
}

/** Names the route, without text that the client chose: paths contain ids. */
export const routeName = ({ method, route }: HttpRequest): string => (route === undefined ? "(no route)" : `${method} ${route}`);
