/** Renders the page /docs: general rules, routes, events and schemas. It can be read without JavaScript. */
import type { AsyncApi } from "../asyncapi.ts";
import { entryView, eventSections, operationSections, schemaSection, type PageSection } from "./entries.ts";
import { html, prose, type Html } from "./html.ts";
import type { OpenApi } from "../openapi.ts";
import { generalRules, socketTexts, tagline, title } from "../texts.ts";

interface LinkedSection extends PageSection {
  readonly id: string;
}

export function renderPage(http: OpenApi, socket: AsyncApi, version: string): string {
  const sections: readonly LinkedSection[] = [
    ...operationSections(http),
    ...eventSections(socket),
    schemaSection({ ...http.components.schemas, ...socket.components.schemas }),
  ].map((section) => ({ ...section, id: section.title.toLowerCase().replaceAll(" ", "-") }));
  return `<!doctype html>${
    html`
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>${title} API</title>
          <link rel="icon" href="/docs/icon.svg" type="image/svg+xml" />
          <link rel="stylesheet" href="/docs/style.css" />
          <script src="/docs/page.js" defer></script>
        </head>
        <body>
          <header>
            <a class="brand" href="#top"><img src="/docs/icon.svg" alt="" width="24" height="24" /> ${title} API</a>
            <span class="version">${version}</span>
            <input id="search" type="search" placeholder="Search" title="Press / to search" aria-label="Search" hidden />
          </header>
          <div class="columns">
            <nav aria-label="Contents">
              <details open>
                <summary>Contents</summary>
                <a href="#top">Overview</a>
                ${sections.map(contents)}
              </details>
            </nav>
            <main id="top">
              ${overview}
              <p id="no-results" hidden>No entries match your search.</p>
              ${sections.map(sectionView)}
            </main>
          </div>
        </body>
      </html>
    `.markup
  }`;
}

/** Lets a path break across lines after a slash. */
const breakable = (path: string): Html => html`${path.split("/").map((piece, i) => (i === 0 ? piece : html`/<wbr />${piece}`))}`;

const contents = ({ id, title, entries }: LinkedSection): Html => html`
  <section data-of="${id}">
    <a class="group" href="#${id}">${title}</a>
    <ul>
      ${entries.map(
        ({ id, badge, name }) => html`
          <li>
            <a href="#${id}"><span class="badge ${badge}">${badge}</span> <span>${breakable(name)}</span></a>
          </li>
        `,
      )}
    </ul>
  </section>
`;

const sectionView = ({ id, title, entries }: LinkedSection): Html => html`
  <section class="part" id="${id}">
    <h2>${title}</h2>
    ${entries.map(entryView)}
  </section>
`;

const quickStart = `curl -s localhost:3000/auth/login -H 'content-type: application/json' \\
  -d '{"emailId":"ada@example.org","password":"Correct-Horse-7"}'

curl -s localhost:3000/chat/my-chats -H "authorization: Bearer $TOKEN"`;

const overview = html`
  <section class="overview">
    <h1>${title} API</h1>
    <p class="tagline">${tagline}</p>
    <p>
      Machine-readable: <a href="/openapi.json">openapi.json</a> (HTTP, OpenAPI 3.1) and
      <a href="/asyncapi.json">asyncapi.json</a> (sockets, AsyncAPI 3.0).
    </p>
    <pre><code>${quickStart}</code></pre>
    <h2>General rules</h2>
    <dl class="rules">
      ${generalRules.map(
        ({ name, text }) => html`
          <div>
            <dt>${name}</dt>
            <dd>${prose(text)}</dd>
          </div>
        `,
      )}
    </dl>
    <h2>Sockets</h2>
    ${socketTexts.map((text) => html`<p>${prose(text)}</p>`)}
  </section>
`;
