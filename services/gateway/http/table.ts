/**
 * Defines the rows of the HTTP table: a path, its action, and how a request becomes the action's params. A row describes its route
 * completely; `pipeline.ts` executes it. A row never lists the action's params: they come from the contract, so that a new one is
 * public without a change here. It names only those that it sets itself.
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

/** Validated public params: the action's, with the row's own in place of those of the same name. */
type Given<A, P> = Infer<Omit<ActionParams<A>, keyof P> & P>;
/** By name; params whose value is undefined are left out. */
export interface QueryParams {
  readonly [name: string]: string | number | undefined;
}

/** Literals, so that the documents list the statuses of each route. */
export type SuccessStatus = 200 | 201 | 202 | 204;

/** A route's own limit, in addition to those of all routes. */
export interface RouteLimit<G = InputFields> {
  readonly limit: RateLimit;
  /** The key to count under. `userId` is empty without a session. */
  readonly key: (params: G, address: string, userId: string) => string;
}

/** The response: a JSON body, or a file's bytes. */
type RouteOutput<G, R> =
  | { readonly present: (result: R) => unknown; readonly download?: never }
  | { readonly download: (result: R, params: G) => Download; readonly present?: never };

/** Computes a param of the action from the row's own params and the uploaded file. */
type Setter<A, P, K extends keyof ActionParams<A>> = (
  params: Infer<P>,
  file: AdmittedUpload | undefined,
) => Input<ActionParams<A>>[K & keyof Input<ActionParams<A>>];
type Setters<A, P> = { readonly [K in keyof ActionParams<A>]?: Setter<A, P, K> } & {
  readonly [K in keyof ActionParams<A> & keyof P]: Setter<A, P, K>;
};
/** `sets` is required if a param of the row has the name of one of the action's. */
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
  /** `:name` is a path param. The other params are in the query for GET and DELETE, else in the body. */
  readonly path: string;
  readonly action: A;
  /** In the documents; the action's if not given. */
  readonly summary?: string;
  /** Those of the action's errors that the route can have, if not all. */
  readonly errors?: readonly DomainErrorCode[];
  /** Public params in addition to the action's, or in place of them. They are not passed to the action, but to `sets`. */
  readonly params?: P & Rules;
  readonly upload?: Upload<Given<A, NoInfer<P>>, ActionResult<A>>;
  /** Default 200. */
  readonly status?: SuccessStatus | ((result: ActionResult<A>) => SuccessStatus);
  /** The access token to store in the cookie; null deletes the cookie. */
  readonly token?: (result: ActionResult<A>) => string | null;
  /** The query params that lead from this page to the next, for lists without a cursor in the body; undefined on the last page. */
  readonly nextPage?: (result: ActionResult<A>, params: Given<A, P>) => QueryParams | undefined;
  readonly limits?: readonly RouteLimit<Given<A, NoInfer<P>>>[];
  /** Of a JSON body, in bytes; default 100 kB. */
  readonly maxBytes?: number;
  /** Without a session the action is not called, and `result` is null. */
  readonly isSessionOptional?: true;
}

/** The usual `nextPage`, of an action with the param `before` and the result `next`. */
export const pageBefore = ({ next }: { next?: string }): QueryParams | undefined => (next === undefined ? undefined : { before: next });

/** Checks a row against its action's contract. */
export const row = <A extends ActionRef, const P = object>(spec: RouteRow<A, P>): RouteRow => spec as RouteRow;

/** The params that clients may send: the action's except those that the row sets, and the row's own. */
export const publicRules = ({ action, params, sets = {} }: RouteRow): Rules => ({
  ...Object.fromEntries(Object.entries(action.params).filter(([name]) => !Object.hasOwn(sets, name))),
  ...params,
});

/** The action's params, from the validated public ones. */
export function actionInput({ params: own = {}, sets = {} }: RouteRow, params: object, file?: AdmittedUpload): Record<string, unknown> {
  const given = Object.entries(params);
  const ownParams = Object.fromEntries(given.filter(([name]) => Object.hasOwn(own, name)));
  return {
    ...Object.fromEntries(given.filter(([name]) => !Object.hasOwn(own, name))),
    ...Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, set!(ownParams, file)])),
  };
}
