/** What routes and events answer, as schemas: made from their types by `npm run docs:api`, and read once, when a document is made. */
import { readFileSync } from "node:fs";
import type { JsonSchema } from "./json-schema.ts";

export interface RouteAnswer {
  /** Those of success. */
  readonly statuses: readonly number[];
  /** Left out where the answer is no JSON. */
  readonly body?: JsonSchema;
}
export interface Answers {
  /** By method and path, as the table has them. */
  readonly routes: { readonly [route: string]: RouteAnswer };
  /** The acknowledgement's data, by event. */
  readonly clientEvents: { readonly [event: string]: JsonSchema };
  /** Payloads of what the server sends. */
  readonly serverEvents: { readonly [event: string]: JsonSchema };
  /** The named ones, which the others refer to as `#/components/schemas/<name>`. */
  readonly schemas: { readonly [name: string]: JsonSchema };
}

export const readAnswers = (): Answers => JSON.parse(readFileSync(new URL("answers.json", import.meta.url), "utf8")) as Answers;
