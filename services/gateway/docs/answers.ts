/** Reads the schemas of what routes and events answer. `npm run docs:api` generates them from the result types. */
import { readFileSync } from "node:fs";
import type { JsonSchema } from "./json-schema.ts";

export interface RouteAnswer {
  /** Only 2xx. */
  readonly statuses: readonly number[];
  /** Absent if the response is not JSON. */
  readonly body?: JsonSchema;
}
export interface Answers {
  /** By method and path, as in the table of routes. */
  readonly routes: { readonly [route: string]: RouteAnswer };
  /** The acknowledgement's data, by event. */
  readonly clientEvents: { readonly [event: string]: JsonSchema };
  /** Payloads, by event. */
  readonly serverEvents: { readonly [event: string]: JsonSchema };
  /** Named schemas, which the others reference as `#/components/schemas/<name>`. */
  readonly schemas: { readonly [name: string]: JsonSchema };
}

export const readAnswers = (): Answers => JSON.parse(readFileSync(new URL("answers.json", import.meta.url), "utf8")) as Answers;
