/**
 * Infers types from fastest-validator rules: an action's params are written once, as rules, and the types of what a caller sends and what
 * a handler receives follow from them.
 */
interface CommonRule {
  /** For the API documents. */
  readonly description?: string;
  readonly optional?: boolean;
  readonly nullable?: boolean;
  readonly default?: unknown;
}

/** The fastest-validator rules that Parley uses. The keys have the validator's meanings. */
export type Rule =
  | (CommonRule & {
      readonly type: "string";
      readonly enum?: readonly string[];
      readonly min?: number;
      readonly max?: number;
      readonly length?: number;
      readonly pattern?: RegExp;
      readonly trim?: boolean;
      readonly lowercase?: boolean;
      readonly messages?: { readonly [code: string]: string };
      readonly custom?: CustomCheck;
    })
  | (CommonRule & { readonly type: "email"; readonly normalize?: boolean; readonly max?: number })
  | (CommonRule & {
      readonly type: "number";
      readonly min?: number;
      readonly max?: number;
      readonly integer?: boolean;
      readonly convert?: boolean;
    })
  | (CommonRule & { readonly type: "boolean"; readonly convert?: boolean })
  | (CommonRule & { readonly type: "any" })
  | (CommonRule & {
      readonly type: "array";
      readonly items: Rule;
      readonly min?: number;
      readonly max?: number;
      readonly unique?: boolean;
    })
  | (CommonRule & { readonly type: "object"; readonly props: Rules; readonly strict?: boolean | "remove" })
  | (CommonRule & { readonly type: "record"; readonly key: Rule; readonly value: Rule });

/** A check that a rule's keys can't express. It adds to `errors` and returns the value. */
export type CustomCheck = (value: string, errors: { type: string; message?: string; actual?: unknown }[]) => string;

export interface Rules {
  readonly [key: string]: Rule;
}

type BaseTypeOf<R> = R extends { type: "string"; enum: readonly (infer E)[] }
  ? E
  : R extends { type: "string" | "email" }
    ? string
    : R extends { type: "number" }
      ? number
      : R extends { type: "boolean" }
        ? boolean
        : R extends { type: "array"; items: infer I }
          ? BaseTypeOf<I>[]
          : R extends { type: "object"; props: infer P }
            ? Infer<P>
            : R extends { type: "record"; value: infer V }
              ? { [key: string]: BaseTypeOf<V> }
              : unknown;
type ValueTypeOf<R> = R extends { nullable: true } ? BaseTypeOf<R> | null : BaseTypeOf<R>;
type Flatten<T> = { [K in keyof T]: T[K] };
type OptionalIn<P> = { [K in keyof P]: P[K] extends { optional: true } | { default: unknown } ? K : never }[keyof P];
type OptionalOut<P> = {
  [K in keyof P]: P[K] extends { default: unknown } ? never : P[K] extends { optional: true } ? K : never;
}[keyof P];

/** The params a caller sends: those with a default are optional. */
export type Input<P> = Flatten<
  { [K in Exclude<keyof P, OptionalIn<P>>]: ValueTypeOf<P[K]> } & { [K in OptionalIn<P>]?: ValueTypeOf<P[K]> | undefined }
>;

/** The params a handler receives: those with a default are always present. */
export type Infer<P> = Flatten<
  { [K in Exclude<keyof P, OptionalOut<P>>]: ValueTypeOf<P[K]> } & { [K in OptionalOut<P>]?: ValueTypeOf<P[K]> | undefined }
>;
