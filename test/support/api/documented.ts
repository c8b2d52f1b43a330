/**
 * The API held to its documents: each answer's status must be documented and its body must be what its schema says, to the last
 * field; what was seen is noted, so that a test can say what was not.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { AsyncApi } from "../../../services/gateway/docs/asyncapi.ts";
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import type { OpenApi } from "../../../services/gateway/docs/openapi.ts";
import { requestJson, type Ack, type ApiResponse, type Person } from "../people/person.ts";

/** Who asks, and with what: path parameters and query by name, a body as JSON or as it is. */
export interface DocumentedRequest {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type SchemaCheck = (what: string, value: unknown) => void;

/** Schemas of one document, compiled when they are needed. */
function checks(document: object): (schema: JsonSchema) => SchemaCheck {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: "log", allErrors: true, logger: false });
  ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { schemas } = (document as { components: { schemas: Record<string, JsonSchema> } }).components;
  for (const [name, schema] of Object.entries(schemas)) ajv.addSchema(referring(schema) as object, name);
  const compiled = new Map<JsonSchema, ValidateFunction>();
  return (schema) => (what, value) => {
    const validate = compiled.get(schema) ?? ajv.compile(referring(schema) as object);
    compiled.set(schema, validate);
    if (!validate(value)) {
      throw new Error(`${what} is not as documented: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value, null, 2).slice(0, 2000)}`);
    }
  };
}

/** References into the document become the names under which its schemas are known. */
const referring = (schema: JsonSchema): unknown => JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", ""));

/** HTTP, by operation: `POST /chat/messages`. */
export class DocumentedHttp {
  readonly operations: ReadonlyMap<string, OpenApiOperation>;
  private readonly check: (schema: JsonSchema) => SchemaCheck;
  private readonly seen = new Set<string>();

  constructor(document: OpenApi) {
    this.check = checks(document);
    this.operations = new Map(
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
      ),
    );
  }

  /** Asks, and holds the answer to the document; what a success was asked with is held to it too. */
  async ask(
    url: string,
    name: string,
    who: Person | undefined,
    { params = {}, query = "", body, headers }: DocumentedRequest,
  ): Promise<ApiResponse> {
    const [method, path] = name.split(" ") as [string, string];
    const target = path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? `no-${key}`)) + query;
    const asking = { ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
    const answer = await (who === undefined ? requestJson(url, method, target, asking) : who.request(method, target, asking));
    this.answered(name, body, answer);
    return answer;
  }

  /** @throws Error  the operation may not answer so, or its JSON was taken and is not documented */
  answered(name: string, body: unknown, answer: ApiResponse): void {
    const operation = this.operations.get(name);
    const response = operation?.responses[answer.status];
    if (operation === undefined || response === undefined) {
      throw new Error(`${name} answered ${answer.status}, which is not documented: ${JSON.stringify(answer.body).slice(0, 1000)}`);
    }
    this.seen.add(`${name} ${answer.status}`);
    const [type = ""] = (answer.headers.get("content-type") ?? "").split(";");
    const documented = Object.entries(response.content ?? {});
    const content = documented.find(([one]) => one === type || one === "*/*")?.[1];
    if (content !== undefined) this.check(content.schema)(`${name} ${answer.status}`, answer.body);
    else if (documented.length > 0 || type !== "")
      throw new Error(`${name} ${answer.status} has a body of type "${type}", which is not documented`);
    if (answer.status < 300) this.checkRequest(name, operation, body);
  }

  private checkRequest(name: string, { requestBody }: OpenApiOperation, body: unknown): void {
    const schema = (requestBody?.["content"] as Record<string, { schema: JsonSchema }> | undefined)?.["application/json"]?.schema;
    const isJson = typeof body === "object" && body !== null && Object.getPrototypeOf(body) === Object.prototype;
    if (schema !== undefined && isJson) this.check(schema)(`the body of ${name}`, body);
  }

  /** Documented answers of an operation that were not seen yet. */
  unseen(name: string): string[] {
    return Object.keys(this.operations.get(name)!.responses).filter((status) => !this.seen.has(`${name} ${status}`));
  }
}

/** Socket events: what they are acknowledged with, and what is heard. */
export class DocumentedSockets {
  readonly clientEvents: readonly string[];
  readonly serverEvents: readonly string[];
  private readonly document: AsyncApi;
  private readonly check: (schema: JsonSchema) => SchemaCheck;

  constructor(document: AsyncApi) {
    this.document = document;
    this.check = checks(document);
    const ids = Object.keys(document.operations);
    const named = (prefix: string) => ids.flatMap((id) => (id.startsWith(prefix) ? [id.slice(prefix.length)] : []));
    this.clientEvents = named("client.");
    this.serverEvents = named("server.");
  }

  /** What a client's event takes. */
  payloadOf(event: string): JsonSchema {
    return this.document.channels.events.messages[`client.${event}`]!.payload;
  }

  /** @throws Error  the event may not be answered so, or its payload was taken and is not documented */
  acknowledged(event: string, payload: unknown, ack: Ack): void {
    const { events, acknowledgements } = this.document.channels;
    this.check(acknowledgements.messages[ack.ok ? event : "refused"]!.payload)(`the answer to ${event}`, ack);
    if (ack.ok) this.check(events.messages[`client.${event}`]!.payload)(`the payload of ${event}`, payload);
  }

  heard(event: string, data: unknown): void {
    const message = this.document.channels.events.messages[`server.${event}`];
    if (message === undefined) throw new Error(`heard ${event}, which is not documented`);
    this.check(message.payload)(`what ${event} brings`, data);
  }
}
