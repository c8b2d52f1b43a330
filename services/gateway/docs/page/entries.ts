/** Renders the page's entries: one for each operation, event and schema, collapsed at first. */
import type { AsyncApi } from "../asyncapi.ts";
import { parameterList, schemaId, schemaView } from "./fields.ts";
import type { OpenApiOperation } from "../fixed-paths.ts";
import { html, prose, type Html } from "./html.ts";
import type { JsonSchema } from "../json-schema.ts";
import type { OpenApi } from "../openapi.ts";
import type { OpenApiResponse } from "../responses.ts";

export interface PageEntry {
  readonly id: string;
  /** The badge's text and CSS class: a method (`get`), a direction (`send`, `receive`), or `type`. */
  readonly badge: string;
  readonly name: string;
  readonly summary: string;
  readonly body: Html;
}
export interface PageSection {
  readonly title: string;
  readonly entries: readonly PageEntry[];
}

export const entryView = ({ id, badge, name, summary, body }: PageEntry): Html => html`
  <details class="entry" id="${id}" data-words="${`${badge} ${name} ${summary}`.toLowerCase()}">
    <summary>
      <span class="badge ${badge}">${badge}</span> <code class="name">${name}</code> <span class="about">${prose(summary)}</span>
    </summary>
    <div class="body">${body}</div>
  </details>
`;

/** One section for each tag of the document. */
export function operationSections({ paths, tags }: OpenApi): PageSection[] {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  return tags.map(({ name, description }) => ({
    title: description,
    entries: all.filter(({ operation }) => operation.tags.includes(name)).map(operationEntry),
  }));
}

function operationEntry({ method, path, operation }: { method: string; path: string; operation: OpenApiOperation }): PageEntry {
  const { operationId, summary, security, parameters = [], requestBody, responses } = operation;
  return {
    id: operationId,
    badge: method,
    name: path,
    summary,
    body: html`
      <p class="session">${sessionText(security)}</p>
      ${
        parameters.length === 0
          ? undefined
          : html`<h4>Parameters</h4>
              ${parameterList(parameters)}`
      }
      ${requestBody === undefined ? undefined : requestView(requestBody)}
      <h4>Responses</h4>
      ${Object.entries(responses).map(([status, response]) => responseView(status, response))}
    `,
  };
}

const sessionText = (security: readonly object[]): string =>
  security.length === 0 ? "No session required." : security.length > 2 ? "Session optional." : "Session required.";

function requestView({ description, content }: JsonSchema): Html {
  const types = Object.entries(content as Record<string, { readonly schema: JsonSchema }>);
  return html`${types.map(
    ([type, { schema }], i) =>
      html`<h4>${i === 0 ? "Body" : "Or this body"} <span class="mark">${type}</span></h4>
        ${typeof description === "string" ? html`<p>${prose(description)}</p>` : undefined}${schemaView(schema)}`,
  )}`;
}

function responseView(status: string, { description, headers = {}, content = {} }: OpenApiResponse): Html {
  const isSuccess = Number(status) < 400;
  const schemas = isSuccess ? Object.entries(content).map(([type, { schema }]) => ({ type, schema })) : [];
  const lines = isSuccess ? Object.entries(headers) : [];
  return html`
    <div class="answer ${isSuccess ? "success" : "failure"}">
      <code class="status">${status}</code>
      <div>
        <p>${prose(description)}</p>
        ${lines.map(([name, header]) => html`<p>Header <code>${name}</code>: ${prose(header["description"] as string)}</p>`)}
        ${schemas.map(({ type, schema }) => (type === "application/json" ? schemaView(schema) : type === "*/*" ? undefined : html`<p>${type}</p>`))}
      </div>
    </div>
  `;
}

/** A section for what clients send, and one for what they receive. */
export function eventSections({ channels, operations }: AsyncApi): PageSection[] {
  const { events, acknowledgements } = channels;
  const entries = Object.entries(operations).map(([id, { action, description = "" }]) => {
    const { name, summary, payload } = events.messages[id]!;
    const acknowledged = acknowledgements.messages[name]?.payload["properties"] as { readonly data: JsonSchema } | undefined;
    const body =
      action === "receive"
        ? html`<h4>Payload</h4>
            ${schemaView(payload)}
            <h4>Acknowledgement data</h4>
            ${schemaView(acknowledged!.data)}`
        : html`<p>${prose(description)}</p>
            <h4>Payload</h4>
            ${schemaView(payload)}`;
    return { action, entry: { id, badge: action === "receive" ? "send" : "receive", name, summary, body } };
  });
  const entriesFor = (wanted: "send" | "receive") => entries.filter(({ action }) => action === wanted).map(({ entry }) => entry);
  return [
    { title: "Socket events you send", entries: entriesFor("receive") },
    { title: "Socket events you receive", entries: entriesFor("send") },
  ];
}

export const schemaSection = (schemas: Readonly<Record<string, JsonSchema>>): PageSection => ({
  title: "Schemas",
  entries: Object.entries(schemas).map(([name, schema]) => ({
    id: schemaId(name),
    badge: "type",
    name,
    summary: (schema["description"] as string | undefined) ?? "",
    body: schemaView({ ...schema, description: undefined }),
  })),
});
