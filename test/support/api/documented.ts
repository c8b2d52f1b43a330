/**
 * Checks answers and events against the API's documents: the status must be documented, and the body must match its schema without
 * further fields. Records the answers seen, so that a test can list those that are missing.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { AsyncApi } from "../../../services/gateway/docs/asyncapi.ts";
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import type { OpenApi } from "../../../services/gateway/docs/openapi.ts";
import { requestJson, type Ack, type ApiResponse, type Person } from "../people/person.ts";

/** A request of a documented operation. An object body is sent as JSON, any other unchanged. */
export interface DocumentedRequest {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type SchemaCheck = (what: string, value: unknown) => void;

/** Compiles schemas of one document on first use. */
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

/** Replaces references into the document by the names under which `checks` adds its schemas. */
const referring = (schema: JsonSchema): unknown => JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", ""));

/** Checks HTTP answers. An operation is named like `POST /chat/messages`. */
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

  /** Sends a request and checks the answer. If it succeeds, checks the request's body too. */
  async ask(
    url: string,
    name: string,
    who: Person | undefined,
    { params = {}, query = "", body, headers }: DocumentedRequest,
  ): Promise<ApiResponse> {
    const [method, path] = name.split(" ") as [string, string];
    const target = path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? `no-${key}`)) + query;
    const options = { ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
    const answer = await (who === undefined ? requestJson(url, method, target, options) : who.request(method, target, options));
    this.answered(name, body, answer);
    return answer;
  }

  /** @throws Error  the answer, or the body of an accepted request, is not documented */
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

  /** Documented statuses of an operation that no answer had yet. */
  unseen(name: string): string[] {
    return Object.keys(this.operations.get(name)!.responses).filter((status) => !this.seen.has(`${name} ${status}`));
  }
}

/** Checks acknowledgements and events of sockets. */
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

  /** The schema of the payload of a client's event. */
  payloadOf(event: string): JsonSchema {
    return this.document.channels.events.messages[`client.${event}`]!.payload;
  }

  /** @throws Error  the acknowledgement, or an accepted payload, is not documented */
  acknowledged(event: string, payload: unknown, ack: Ack): void {
    const { events, acknowledgements } = this.document.channels;
    this.check(acknowledgements.messages[ack.ok ? event : "refused"]!.payload)(`the answer to ${event}`, ack);
    if (ack.ok) this.check(events.messages[`client.${event}`]!.payload)(`the payload of ${event}`, payload);
  }

  received(event: string, data: unknown): void {
    const message = this.document.channels.events.messages[`server.${event}`];
    if (message === undefined) throw new Error(`received ${event}, which is not documented`);
    this.check(message.payload)(`the payload of ${event}`, data);
  }
}
