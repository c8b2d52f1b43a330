/**
 * The HTTP table's rows: a path, the action behind it, and how a request becomes its params. A row is all there is to say about a
 * route; `pipeline.ts` carries it out. A row never lists the action's params: it takes them all from the contract, so that a new one is
 * public at once, and only names those that it sets itself.
 */
import type { ActionRef, Returns } from "../../../core/contract/contract.ts";
import type { DomainErrorCode } from "../../../core/errors.ts";
import type { RateLimit } from "../../../core/limits/limits.ts";
import type { Infer, Input, Rules } from "../../../core/contract/schema.ts";
import type { AdmittedUpload } from "./request/admit-upload.ts";
import type { InputFields } from "./request/http-request.ts";
import type { Upload } from "./request/upload.ts";
import type { Download } from "./response/download.ts";

type ActionParams<A> = A extends ActionRef<infer P> ? P : never;
type ActionResult<A> = A extends { readonly result: Returns<infer R> } ? R : never;

/** Public params as validated. Those of the action that the row sets itself are not among them. */
type Given<A, P> = Infer<Omit<ActionParams<A>, keyof P> & P>;
/** A query's params by name; those with undefined are left out. */
export interface QueryParams {
  readonly [name: string]: string | number | undefined;
}

/** Statuses of success: as literals, so that the documents know which ones a route has. */
export type SuccessStatus = 200 | 201 | 202 | 204;

/** A limit of one route besides those of all. */
export interface RouteLimit<G = InputFields> {
  readonly limit: RateLimit;
  /** What it counts under, from the validated params, the caller's address and, on routes with a session, the person. */
  readonly key: (params: G, address: string, userId: string) => string;
}

/** Leaves the server: a JSON body, or a file's bytes. */
type RouteOutput<G, R> =
  | { readonly present: (result: R) => unknown; readonly download?: never }
  | { readonly download: (result: R, params: G) => Download; readonly present?: never };

/** Makes a param of the action from the row's own params and the file that came along. */
type Setter<A, P, K extends keyof ActionParams<A>> = (
  params: Infer<P>,
  file: AdmittedUpload | undefined,
) => Input<ActionParams<A>>[K & keyof Input<ActionParams<A>>];
type Setters<A, P> = { readonly [K in keyof ActionParams<A>]?: Setter<A, P, K> } & {
  readonly [K in keyof ActionParams<A> & keyof P]: Setter<A, P, K>;
};
/** Where the row's own params replace the action's, it has to say what becomes of them. */
type RequiredSetters<A, P> = [keyof ActionParams<A> & keyof P] extends [never]
  ? { readonly sets?: Setters<A, P> }
  : { readonly sets: Setters<A, P> };

/**
 * @typeParam A  the action
 * @typeParam P  the rules of the row's own params
 */
export type RouteRow<A extends ActionRef = ActionRef, P = object> = RouteRowSpec<A, P> &
  RequiredSetters<A, P> &
  RouteOutput<Given<A, P>, ActionResult<A>>;
interface RouteRowSpec<A extends ActionRef, P> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `:name` is a param in the path. The others come in the query of GET and DELETE, in the body of the rest. */
  readonly path: string;
  readonly action: A;
  /** What the documents say of it, and which of the action's errors it has, where the action does more than the route. */
  readonly summary?: string;
  readonly errors?: readonly DomainErrorCode[];
  /** Public params besides the action's, or in place of them. They do not reach the action themselves: `sets` is made from them. */
  readonly params?: P & Rules;
  readonly upload?: Upload<Given<A, NoInfer<P>>, ActionResult<A>>;
  /** 200 if not given. */
  readonly status?: SuccessStatus | ((result: ActionResult<A>) => SuccessStatus);
  /** The access token that the cookie is to hold; null forgets it. */
  readonly token?: (result: ActionResult<A>) => string | null;
  /** What the query of the next page has in place of this one's, of a list that is a bare array; undefined after the last page. */
  readonly nextPage?: (result: ActionResult<A>, params: Given<A, P>) => QueryParams | undefined;
  readonly limits?: readonly RouteLimit<Given<A, NoInfer<P>>>[];
  /** Bytes of a JSON body; 100 kB if not given. */
  readonly maxBytes?: number;
  /** Answered alike without a session; then the action is not called, and `result` is null. */
  readonly isSessionOptional?: true;
}

/** One row, checked against its action's contract. */
export const row = <A extends ActionRef, const P = object>(spec: RouteRow<A, P>): RouteRow => spec as RouteRow;

/** What clients may send: the action's params except those that the row sets itself, and the row's own. */
export const publicRules = ({ action, params, sets = {} }: RouteRow): Rules => ({
  ...Object.fromEntries(Object.entries(action.params).filter(([name]) => !Object.hasOwn(sets, name))),
  ...params,
});

/** The action's params, made from validated public ones. */
export function actionInput({ params: own = {}, sets = {} }: RouteRow, params: object, file?: AdmittedUpload): Record<string, unknown> {
  const given = Object.entries(params);
  const ownParams = Object.fromEntries(given.filter(([name]) => Object.hasOwn(own, name)));
  return {
    ...Object.fromEntries(given.filter(([name]) => !Object.hasOwn(own, name))),
    ...Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, set!(ownParams, file)])),
  };
}
