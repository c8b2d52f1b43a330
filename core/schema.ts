/**
 * Validation rules as types: an action's params are written once, as fastest-validator rules, and the types of what a caller
 * sends and what a handler receives are inferred from them.
 */
interface Common {
  /** What the documents say of it. */
  readonly description?: string;
  readonly optional?: boolean;
  readonly nullable?: boolean;
  readonly default?: unknown;
}

/** The fastest-validator rules Parley uses; each key means what it means there. */
export type Rule =
  | (Common & {
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
  | (Common & { readonly type: "email"; readonly normalize?: boolean; readonly max?: number })
  | (Common & {
      readonly type: "number";
      readonly min?: number;
      readonly max?: number;
      readonly integer?: boolean;
      readonly convert?: boolean;
    })
  | (Common & { readonly type: "boolean"; readonly convert?: boolean })
  | (Common & { readonly type: "any" })
  | (Common & {
      readonly type: "array";
      readonly items: Rule;
      readonly min?: number;
      readonly max?: number;
      readonly unique?: boolean;
    })
  | (Common & { readonly type: "object"; readonly props: Rules; readonly strict?: boolean | "remove" })
  | (Common & { readonly type: "record"; readonly key: Rule; readonly value: Rule });

/** A check that a rule's own keys can't express: pushes to `errors`, returns the value. */
export type CustomCheck = (value: string, errors: { type: string; message?: string; actual?: unknown }[]) => string;

export interface Rules {
  readonly [key: string]: Rule;
}

type Base<R> = R extends { type: "string"; enum: readonly (infer E)[] }
  ? E
  : R extends { type: "string" | "email" }
    ? string
    : R extends { type: "number" }
      ? number
      : R extends { type: "boolean" }
        ? boolean
        : R extends { type: "array"; items: infer I }
          ? Base<I>[]
          : R extends { type: "object"; props: infer P }
            ? Infer<P>
            : R extends { type: "record"; value: infer V }
              ? { [key: string]: Base<V> }
              : unknown;
type Value<R> = R extends { nullable: true } ? Base<R> | null : Base<R>;
type Flat<T> = { [K in keyof T]: T[K] };
type OptionalIn<P> = { [K in keyof P]: P[K] extends { optional: true } | { default: unknown } ? K : never }[keyof P];
type OptionalOut<P> = {
  [K in keyof P]: P[K] extends { default: unknown } ? never : P[K] extends { optional: true } ? K : never;
}[keyof P];

/** What a caller may send: a rule with a default may be left out. */
export type Input<P> = Flat<{ [K in Exclude<keyof P, OptionalIn<P>>]: Value<P[K]> } & { [K in OptionalIn<P>]?: Value<P[K]> | undefined }>;

/** What a handler receives: a rule with a default is always there. */
export type Infer<P> = Flat<{ [K in Exclude<keyof P, OptionalOut<P>>]: Value<P[K]> } & { [K in OptionalOut<P>]?: Value<P[K]> | undefined }>;
