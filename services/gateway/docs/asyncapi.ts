/** The socket API as an AsyncAPI 3.0 document, made from the tables of events: what clients send, what they are answered, what they hear. */
import { statusOf } from "../../../core/errors.ts";
import type { Rules } from "../../../core/contract/schema.ts";
import type { Answers } from "./answers.ts";
import { objectSchema, type JsonSchema } from "./json-schema.ts";
import { requestIdSchemas } from "./responses.ts";
import { credentials, sockets, tagline, title } from "./texts.ts";

/** An event that clients send. */
interface ClientEvent {
  readonly event: string;
  readonly summary: string;
  readonly rules: Rules;
}
/** Events that the server sends, by name. */
interface ServerEvents {
  readonly [event: string]: { readonly summary: string; readonly hearers: string };
}
interface Message {
  readonly name: string;
  readonly summary: string;
  readonly payload: JsonSchema;
}
interface Reference {
  readonly $ref: string;
}

export interface AsyncApi {
  readonly asyncapi: string;
  readonly channels: { readonly events: Channel; readonly acknowledgements: Channel };
  readonly operations: { readonly [id: string]: Operation };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema }; readonly securitySchemes: object };
  readonly [key: string]: unknown;
}
interface Channel {
  readonly address: string | null;
  readonly description: string;
  readonly messages: { readonly [id: string]: Message };
}
interface Operation {
  /** As the server sees it. */
  readonly action: "send" | "receive";
  readonly summary: string;
  readonly description?: string;
  readonly channel: Reference;
  readonly messages: readonly Reference[];
  readonly reply?: { readonly channel: Reference; readonly messages: readonly Reference[] };
}

/** The error of a refused event. */
export const socketErrorSchema: JsonSchema = {
  type: "object",
  description: "Why an event was refused.",
  properties: {
    message: { type: "string", description: "For people; it may change." },
    code: { type: "string", enum: Object.keys(statusOf), description: "For programs; it stays." },
    retryAfterMs: { type: "integer", minimum: 0, description: "When to come again." },
    ...requestIdSchemas,
  },
  required: ["message", "code", "requestId"],
  additionalProperties: false,
};

const acknowledgement = (ok: boolean, key: string, schema: JsonSchema): JsonSchema => ({
  type: "object",
  properties: { ok: { const: ok }, [key]: schema },
  required: ["ok", key],
  additionalProperties: false,
});

const refused: Message = {
  name: "refused",
  summary: "The event was refused, and nothing is changed",
  payload: acknowledgement(false, "error", { $ref: "#/components/schemas/SocketError" }),
};

const to = (...path: readonly string[]): Reference => ({ $ref: `#/${path.join("/")}` });
const channelRef = to("channels", "events");
const replyRef = to("channels", "acknowledgements");

export function asyncApi(clientEvents: readonly ClientEvent[], serverEvents: ServerEvents, answers: Answers, version: string): AsyncApi {
  const sent = Object.entries(serverEvents);
  return {
    asyncapi: "3.0.0",
    info: { title, version, description: [tagline, ...sockets, credentials].join("\n\n") },
    servers: {
      parley: {
        host: "{host}",
        pathname: "/chat/socket.io/",
        protocol: "ws",
        description: "Socket.IO 4 (Engine.IO 4)",
        variables: { host: { default: "localhost:3000" } },
        security: [to("components", "securitySchemes", "token"), to("components", "securitySchemes", "cookie")],
      },
    },
    channels: {
      events: {
        address: "/",
        description: "The default namespace.",
        messages: {
          ...keyed(clientEvents, ({ event, summary, rules }) => [
            `client.${event}`,
            { name: event, summary, payload: objectSchema(rules) },
          ]),
          ...keyed(sent, ([event, { summary }]) => [`server.${event}`, { name: event, summary, payload: answers.emitted[event] ?? {} }]),
        },
      },
      acknowledgements: {
        address: null,
        description: "What the acknowledgement callback gets.",
        messages: { ...keyed(clientEvents, (row) => [row.event, accepted(row, answers)]), refused },
      },
    },
    operations: {
      ...keyed(clientEvents, ({ event, summary }) => [
        `client.${event}`,
        {
          action: "receive",
          summary,
          channel: channelRef,
          messages: [to("channels", "events", "messages", `client.${event}`)],
          reply: {
            channel: replyRef,
            messages: [event, "refused"].map((one) => to("channels", "acknowledgements", "messages", one)),
          },
        },
      ]),
      ...keyed(sent, ([event, { summary, hearers }]) => [
        `server.${event}`,
        {
          action: "send",
          summary,
          description: `To ${hearers}.`,
          channel: channelRef,
          messages: [to("channels", "events", "messages", `server.${event}`)],
        },
      ]),
    },
    components: {
      schemas: { SocketError: socketErrorSchema, ...answers.schemas },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "In the handshake as `auth: {token}`." },
        cookie: { type: "httpApiKey", name: "token", in: "cookie" },
      },
    },
  };
}

const accepted = ({ event, summary }: ClientEvent, { events }: Answers): Message => ({
  name: `${event}.ok`,
  summary,
  payload: acknowledgement(true, "data", events[event] ?? {}),
});

const keyed = <T, V>(list: readonly T[], entry: (one: T) => [string, V]): Record<string, V> => Object.fromEntries(list.map(entry));
