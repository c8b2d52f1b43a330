/** Builds the AsyncAPI 3.0 document of the socket API from the tables of client and server events. */
import { statusOf } from "../../../core/errors.ts";
import type { Rules } from "../../../core/contract/schema.ts";
import type { Answers } from "./answers.ts";
import { objectSchema, type JsonSchema } from "./json-schema.ts";
import { requestIdSchemas } from "./responses.ts";
import { credentials, socketTexts, tagline, title } from "./texts.ts";

interface DocumentedClientEvent {
  readonly event: string;
  readonly summary: string;
  readonly rules: Rules;
}
/** By event. */
interface DocumentedServerEvents {
  readonly [event: string]: { readonly summary: string; readonly audience: string };
}
interface AsyncApiMessage {
  readonly name: string;
  readonly summary: string;
  readonly payload: JsonSchema;
}
interface AsyncApiReference {
  readonly $ref: string;
}

export interface AsyncApi {
  readonly asyncapi: string;
  readonly channels: { readonly events: AsyncApiChannel; readonly acknowledgements: AsyncApiChannel };
  readonly operations: { readonly [id: string]: AsyncApiOperation };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema }; readonly securitySchemes: object };
  readonly [key: string]: unknown;
}
interface AsyncApiChannel {
  readonly address: string | null;
  readonly description: string;
  readonly messages: { readonly [id: string]: AsyncApiMessage };
}
interface AsyncApiOperation {
  /** From the server's point of view. */
  readonly action: "send" | "receive";
  readonly summary: string;
  readonly description?: string;
  readonly channel: AsyncApiReference;
  readonly messages: readonly AsyncApiReference[];
  readonly reply?: { readonly channel: AsyncApiReference; readonly messages: readonly AsyncApiReference[] };
}

/** The error in the acknowledgement of a refused event. */
export const socketErrorSchema: JsonSchema = {
  type: "object",
  description: "Why the event was refused.",
  properties: {
    message: { type: "string", description: "For people; may change." },
    code: { type: "string", enum: Object.keys(statusOf), description: "For programs; stable." },
    retryAfterMs: { type: "integer", minimum: 0, description: "How long to wait before you retry." },
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

const refused: AsyncApiMessage = {
  name: "refused",
  summary: "The event failed. It changed nothing, but after `UNAVAILABLE` or `INTERNAL` it may have been carried out",
  payload: acknowledgement(false, "error", { $ref: "#/components/schemas/SocketError" }),
};

const to = (...path: readonly string[]): AsyncApiReference => ({ $ref: `#/${path.join("/")}` });
const channelRef = to("channels", "events");
const replyRef = to("channels", "acknowledgements");

export function asyncApi(
  clientEvents: readonly DocumentedClientEvent[],
  serverEvents: DocumentedServerEvents,
  answers: Answers,
  version: string,
): AsyncApi {
  const sent = Object.entries(serverEvents);
  return {
    asyncapi: "3.0.0",
    info: { title, version, description: [tagline, ...socketTexts, credentials].join("\n\n") },
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
          ...keyed(sent, ([event, { summary }]) => [
            `server.${event}`,
            { name: event, summary, payload: answers.serverEvents[event] ?? {} },
          ]),
        },
      },
      acknowledgements: {
        address: null,
        description: "What the acknowledgement callback receives.",
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
            messages: [event, "refused"].map((message) => to("channels", "acknowledgements", "messages", message)),
          },
        },
      ]),
      ...keyed(sent, ([event, { summary, audience }]) => [
        `server.${event}`,
        {
          action: "send",
          summary,
          description: `To ${audience}.`,
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

const accepted = ({ event, summary }: DocumentedClientEvent, { clientEvents }: Answers): AsyncApiMessage => ({
  name: `${event}.ok`,
  summary,
  payload: acknowledgement(true, "data", clientEvents[event] ?? {}),
});

const keyed = <T, V>(list: readonly T[], entry: (item: T) => [string, V]): Record<string, V> => Object.fromEntries(list.map(entry));
