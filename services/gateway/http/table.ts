/**
 * The HTTP table's rows: a path, the action behind it, and how the one becomes the other. A row is all there is to say about a
 * route; `pipeline.ts` carries it out.
 */
import type { ActionRef } from "../../../core/contract.ts";
import type { Allowance } from "../../../core/limits/limits.ts";
import type { Infer, Input, Rules } from "../../../core/schema.ts";

type ParamsOf<A> = A extends ActionRef<infer P> ? P : never;
type ResultOf<A> = A extends ActionRef<any, infer R> ? R : never;

/** A limit of one route besides those of all. */
export interface RowLimit {
  readonly allowance: Allowance;
  /** What it counts under, from the validated params, the caller's address and, on routes with a session, the person. */
  readonly key: (params: any, address: string, userId: string) => string;
}

/**
 * @typeParam A  the action
 * @typeParam P  the public params' rules: the action's, unless the row has its own
 */
export interface Row<A extends ActionRef = ActionRef, P = any> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `:name` is a param in the path. The others come in the query of GET and DELETE, in the body of the rest. */
  readonly path: string;
  readonly action: A;
  /** Public params, where they are not the action's, and how they become those. */
  readonly params?: P & Rules;
  readonly input?: (params: Infer<P>) => Input<ParamsOf<A>>;
  /** 200 if not given. */
  readonly status?: number | ((result: ResultOf<A>) => number);
  /** The answer's body. */
  readonly present: (result: ResultOf<A>) => unknown;
  /** The access token that the cookie is to hold; null forgets it. */
  readonly token?: (result: ResultOf<A>) => string | null;
  /** The query of the next page, of a list that is a bare array. */
  readonly nextPage?: (result: ResultOf<A>, params: any) => Readonly<Record<string, string | number>> | undefined;
  readonly limits?: readonly RowLimit[];
  /** Body bytes; 100 kB if not given. */
  readonly maxBytes?: number;
  /** Answered alike without a session; then the action is not called, and `result` is null. */
  readonly isSessionOptional?: true;
}

/** One row, checked against its action's contract. */
export const row = <A extends ActionRef, P = ParamsOf<A>>(spec: Row<A, P>): Row => spec as Row;
