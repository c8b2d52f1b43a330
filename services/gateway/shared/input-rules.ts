/**
 * Public input is strict: an action's rules compiled so that an unknown key is refused, in nested objects too. Between nodes
 * unknown keys are dropped instead, so only the gateway's tables use this.
 */
import { Validators } from "moleculer";
import { Invalid, type FieldError } from "../../../core/errors.ts";
import type { Rule, Rules } from "../../../core/contract/schema.ts";

/** One complaint of fastest-validator. */
export interface RuleError {
  readonly type: string;
  readonly field?: string;
  readonly message?: string;
  readonly actual?: unknown;
}

// The same validator as between nodes, so that a rule means the same at both; but null is no way to leave something out.
const validator = new Validators.Fastest({ considerNullAsAValue: true });
const maxDetails = 20;
const maxFieldLength = 100;

/** Checks params and fills in their defaults, in place. @throws Invalid  with a line for each field that is wrong */
export type InputCheck = (params: object) => void;

export function inputCheck(rules: Rules): InputCheck {
  const check = validator.compile({ ...strictRules(rules), $$strict: true }) as (params: object) => true | RuleError[];
  // The validator would take null for what has a default.
  const defaulted = Object.keys(rules).filter((key) => rules[key]!.default !== undefined);
  return (params) => {
    const nulls = defaulted.filter((key) => (params as Record<string, unknown>)[key] === null);
    if (nulls.length > 0)
      throw invalidInput(nulls.map((field) => ({ type: "required", field, message: `The '${field}' field must not be null.` })));
    const errors = ruleErrors(check, params);
    if (errors !== true) throw invalidInput(errors);
    if (!isWellFormed(params)) throw new Invalid("Text must be well-formed Unicode");
  };
}

/** The validator puts what it refuses into its message, and that throws for values nested too deep or with a `toString` of their own. */
function ruleErrors(check: (params: object) => true | RuleError[], params: object): true | RuleError[] {
  try {
    return check(params);
  } catch {
    return [];
  }
}

/** A lone surrogate can't be stored: it would come back as another character, and as the same one for different keys. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  for (const key in value) if (!isWellFormed((value as Record<string, unknown>)[key])) return false;
  return true;
}

/** The error that names every field that is wrong, each with the first thing that is. */
export function invalidInput(errors: readonly RuleError[]): Invalid {
  const all = errors.flatMap(fieldErrors);
  const details = [...new Map(all.toReversed().map((detail) => [detail.field, detail])).values()].reverse().slice(0, maxDetails);
  const [first] = details;
  if (first === undefined) return new Invalid("Not valid");
  return new Invalid(first.message.includes(first.field) ? first.message : `${first.field} ${first.message}`, details);
}

function fieldErrors({ type, field = "", message = "is not valid", actual }: RuleError): FieldError[] {
  if (type !== "objectStrict") return [{ field: field.slice(0, maxFieldLength), message }];
  const prefix = field === "" ? "" : `${field}.`;
  return String(actual)
    .split(", ")
    .map((key) => `${prefix}${key}`.slice(0, maxFieldLength))
    .map((key) => ({ field: key, message: `The '${key}' field is not known.` }));
}

const strictRules = (rules: Rules): Record<string, unknown> =>
  Object.fromEntries(Object.entries(rules).map(([key, rule]) => [key, strictRule(rule)]));

function strictRule(rule: Rule): object {
  const strict = { nullable: false, ...rule };
  if (rule.type === "object") return { ...strict, strict: true, props: strictRules(rule.props) };
  if (rule.type === "array") return { ...strict, items: strictRule(rule.items) };
  if (rule.type === "record") return { ...strict, key: strictRule(rule.key), value: strictRule(rule.value) };
  return strict;
}
