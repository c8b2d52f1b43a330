/**
 * Compiles an action's rules so that public input with unknown keys is refused, in nested objects too. Only the gateway's tables use
 * this; calls between nodes drop unknown keys instead.
 */
import { Validators } from "moleculer";
import { Invalid, type FieldError } from "../../../core/errors.ts";
import type { Rule, Rules } from "../../../core/contract/schema.ts";

/** An error that fastest-validator reports. */
export interface RuleError {
  readonly type: string;
  readonly field?: string;
  readonly message?: string;
  readonly actual?: unknown;
}

// Calls between nodes use the same validator, so a rule means the same in both. But here null does not count as absent.
const validator = new Validators.Fastest({ considerNullAsAValue: true });
const maxDetails = 20;
const maxFieldLength = 100;

/** Checks params and fills in their defaults, in place. @throws Invalid  with a detail for each invalid field */
export type InputCheck = (params: object) => void;

export function inputCheck(rules: Rules): InputCheck {
  const check = validator.compile({ ...strictRules(rules), $$strict: true }) as (params: object) => true | RuleError[];
  // The validator would accept null for a field with a default.
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

/** The validator puts refused values into its messages, which throws for deeply nested values and for those with their own `toString`. */
function ruleErrors(check: (params: object) => true | RuleError[], params: object): true | RuleError[] {
  try {
    return check(params);
  } catch {
    return [];
  }
}

/** Lone surrogates can't be stored: all of them would come back as the same replacement character, so different keys would become equal. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  for (const key in value) if (!isWellFormed((value as Record<string, unknown>)[key])) return false;
  return true;
}

/** An error that names each invalid field with its first problem. */
export function invalidInput(errors: readonly RuleError[]): Invalid {
  const all = errors.flatMap(fieldErrors);
  const details = [...new Map(all.toReversed().map((detail) => [detail.field, detail])).values()].reverse().slice(0, maxDetails);
  const [first] = details;
  if (first === undefined) return new Invalid("Invalid input");
  return new Invalid(first.message.includes(first.field) ? first.message : `${first.field} ${first.message}`, details);
}

function fieldErrors({ type, field = "", message = "is not valid", actual }: RuleError): FieldError[] {
  if (type !== "objectStrict") return [{ field: field.slice(0, maxFieldLength), message }];
  const prefix = field === "" ? "" : `${field}.`;
  return String(actual)
    .split(", ")
    .map((key) => `${prefix}${key}`.slice(0, maxFieldLength))
    .map((key) => ({ field: key, message: `The '${key}' field is unknown.` }));
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
